# The whole service from what make package left in dist/: its zips and template.json are copied to a bucket of yours, and
# CloudFormation makes the stack. So a stack made by Terraform, by CDK and by the console is the same stack.
#
#   terraform init && terraform apply -var code_bucket=CODE-BUCKET -var 'parameters={Bucket="photos"}'

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 6.0" }
  }
}

variable "dist" {
  description = "The folder that make package wrote."
  type        = string
  default     = "../../dist"
}

variable "code_bucket" {
  description = "A bucket of the stack's own region for the zips and the template. It must exist."
  type        = string
}

variable "code_prefix" {
  description = "Where in it. Ends with \"/\"."
  type        = string
  default     = "bulk-presign/"
}

variable "parameters" {
  description = "Parameters of template.yaml. Bucket must be among them."
  type        = map(string)

  validation {
    condition     = contains(keys(var.parameters), "Bucket")
    error_message = "parameters must name the Bucket to sign for."
  }
}

# Other code has another name, so old zips stay for as long as a way back to them is wanted.
resource "aws_s3_object" "code" {
  for_each = setunion(fileset(var.dist, "*.zip"), ["template.json"])

  bucket      = var.code_bucket
  key         = "${var.code_prefix}${each.value}"
  source      = "${var.dist}/${each.value}"
  source_hash = filesha256("${var.dist}/${each.value}")

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudformation_stack" "presigner" {
  name         = "bulk-presign"
  template_url = "https://${aws_s3_object.code["template.json"].bucket}.s3.${data.aws_region.here.region}.amazonaws.com/${aws_s3_object.code["template.json"].key}"
  capabilities = ["CAPABILITY_IAM"]
  parameters   = merge(var.parameters, { CodeBucket = var.code_bucket, CodePrefix = var.code_prefix })
  # Another template under the same address is a change, too.
  tags       = { template = filesha256("${var.dist}/template.json") }
  depends_on = [aws_s3_object.code]
}

data "aws_region" "here" {}

output "outputs" {
  description = "The stack's outputs: ApiUrl, ApiFunctionName, ApiRouteArn and so on."
  value       = aws_cloudformation_stack.presigner.outputs
}
