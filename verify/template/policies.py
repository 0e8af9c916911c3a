"""Holds examples/policies/ against what they are for. lint.py calls it.

Each document's actions exist and may stand with their resources (parliament); each row of ASKS is allowed or not, as IAM
would decide of these documents alone; and the deployer may do what CloudFormation does for each type of resource that the
template can make."""

import fnmatch
import json

ACCOUNT, REGION = "111122223333", "eu-west-1"
HTTP = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:a1b2c3d4e5"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:bulk-presign-ApiFunction-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/bulk-presign-ApiRole-1"
BOUNDARY = {"iam:PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/boundary"}
S3 = {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
INVENTORY = {"aws:SourceArn": "arn:aws:s3:::amzn-s3-demo-bucket", "aws:SourceAccount": ACCOUNT, "s3:x-amz-acl": "bucket-owner-full-control"}

# file, principal (of a resource's policy), action, resource, context, allowed
ASKS = [
    ("caller-http-api.json", None, "execute-api:Invoke", f"{HTTP}/$default/POST/presign", {}, True),
    ("caller-http-api.json", None, "execute-api:Invoke", f"{HTTP}/$default/GET/presign", {}, False),
    ("caller-http-api.json", None, "execute-api:Invoke", f"{HTTP.replace('a1b2', 'ffff')}/$default/POST/presign", {}, False),
    ("caller-rest-api.json", None, "execute-api:Invoke", f"{HTTP}/live/POST/presign", {}, True),
    ("caller-rest-api.json", None, "execute-api:Invoke", f"{HTTP}/test/POST/presign", {}, False),
    ("caller-invoke.json", None, "lambda:InvokeFunction", FUNCTION, {}, True),
    ("caller-invoke.json", None, "lambda:InvokeFunction", FUNCTION + ":live", {}, True),
    ("caller-invoke.json", None, "lambda:InvokeFunction", FUNCTION.replace("-1", "-2"), {}, False),
    ("caller-invoke.json", None, "lambda:UpdateFunctionCode", FUNCTION, {}, False),
    ("caller-queue.json", None, "sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:presign-requests-1a2b3c4d", {}, True),
    ("caller-queue.json", None, "sqs:ReceiveMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:presign-requests-1a2b3c4d", {}, False),
    ("caller-queue.json", None, "sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:presign-lists-1a2b3c4d", {}, False),
    ("caller-job.json", None, "s3:PutObject", "arn:aws:s3:::amzn-s3-demo-lists/manifests/presign-0.jsonl.gz", {}, True),
    ("caller-job.json", None, "s3:PutObject", "arn:aws:s3:::amzn-s3-demo-results/results/x/summary.json", {}, False),
    ("caller-job.json", None, "s3:GetObject", "arn:aws:s3:::amzn-s3-demo-results/results/x/summary.json", {}, True),
    ("caller-job.json", None, "s3:ListBucket", "arn:aws:s3:::amzn-s3-demo-results", {"s3:prefix": "results/presign-0"}, True),
    ("caller-job.json", None, "s3:ListBucket", "arn:aws:s3:::amzn-s3-demo-results", {"s3:prefix": "other/"}, False),
    ("caller-job.json", None, "lambda:GetFunctionConfiguration", FUNCTION.replace("Api", "Jobs"), {}, True),
    ("caller-job.json", None, "lambda:GetFunctionConfiguration", FUNCTION, {}, False),
    ("caller-job.json", None, "lambda:InvokeFunction", FUNCTION.replace("Api", "Jobs"), {}, False),
    ("caller-scale.json", None, "states:StartExecution", f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:bulk-presign-scale", {}, True),
    ("caller-scale.json", None, "states:ListMapRuns", f"arn:aws:states:{REGION}:{ACCOUNT}:execution:bulk-presign-scale:x", {}, True),
    ("caller-scale.json", None, "states:DescribeMapRun", f"arn:aws:states:{REGION}:{ACCOUNT}:mapRun:bulk-presign-scale/Sign:x", {}, True),
    ("caller-scale.json", None, "states:DescribeMapRun", f"arn:aws:states:{REGION}:{ACCOUNT}:mapRun:other/Sign:x", {}, False),
    ("caller-scale.json", None, "states:DescribeExecution", f"arn:aws:states:{REGION}:{ACCOUNT}:execution:bulk-presign-scale:x", {}, True),
    ("caller-scale.json", None, "states:StartExecution", f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:other", {}, False),
    ("caller-scale.json", None, "s3:PutObject", "arn:aws:s3:::amzn-s3-demo-lists/manifests/scale/a.csv", {}, True),
    ("caller-scale.json", None, "s3:PutObject", "arn:aws:s3:::amzn-s3-demo-lists/other/a.csv", {}, False),
    ("caller-scale.json", None, "s3:GetObject", "arn:aws:s3:::amzn-s3-demo-results/results/x/summary.json", {}, True),
    ("key-policy.json", ROLE, "kms:Decrypt", "*", S3, True),
    ("key-policy.json", ROLE, "kms:GenerateDataKey", "*", S3, True),
    ("key-policy.json", ROLE, "kms:Decrypt", "*", {}, False),  # not by itself, only through S3
    ("key-policy.json", ROLE, "kms:ScheduleKeyDeletion", "*", S3, False),
    ("key-policy.json", ROLE.replace("Api", "Other"), "kms:Decrypt", "*", S3, False),
    ("key-policy.json", f"arn:aws:iam::{ACCOUNT}:root", "kms:PutKeyPolicy", "*", {}, True),
    ("inventory-destination.json", "s3.amazonaws.com", "s3:PutObject", "arn:aws:s3:::amzn-s3-demo-lists/manifests/x", INVENTORY, True),
    ("inventory-destination.json", "s3.amazonaws.com", "s3:PutObject", "arn:aws:s3:::amzn-s3-demo-lists/else/x", INVENTORY, False),
    ("inventory-destination.json", "s3.amazonaws.com", "s3:PutObject", "arn:aws:s3:::amzn-s3-demo-lists/manifests/x",
     INVENTORY | {"aws:SourceAccount": "444455556666"}, False),
    ("code-bucket.json", f"arn:aws:iam::{ACCOUNT}:role/a", "s3:GetObject", "arn:aws:s3:::amzn-s3-demo-code/bulk-presign/a.zip",
     {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}, True),
    ("code-bucket.json", f"arn:aws:iam::{ACCOUNT}:role/a", "s3:GetObject", "arn:aws:s3:::amzn-s3-demo-code/bulk-presign/a.zip",
     {"aws:PrincipalOrgID": "o-ffffffffff"}, False),
    ("code-bucket.json", f"arn:aws:iam::{ACCOUNT}:role/a", "s3:PutObject", "arn:aws:s3:::amzn-s3-demo-code/bulk-presign/a.zip",
     {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}, False),
    # The deployer gives away no more than the boundary, and passes its roles to what runs under them alone.
    ("deployer.json", None, "iam:CreateRole", ROLE, BOUNDARY, True),
    ("deployer.json", None, "iam:CreateRole", ROLE, {}, False),
    ("deployer.json", None, "iam:DeleteRolePermissionsBoundary", ROLE, BOUNDARY, False),
    ("deployer.json", None, "iam:CreateRole", ROLE.replace("bulk-presign", "admin"), BOUNDARY, False),
    ("deployer.json", None, "iam:PassRole", ROLE, {"iam:PassedToService": "lambda.amazonaws.com"}, True),
    ("deployer.json", None, "iam:PassRole", ROLE, {"iam:PassedToService": "ec2.amazonaws.com"}, False),
    ("deployer.json", None, "iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/a", {}, False),
    ("deployer.json", None, "s3:GetObject", "arn:aws:s3:::amzn-s3-demo-bucket/a", {}, False),
    ("deployer-options.json", None, "s3:PutBucketPolicy", "arn:aws:s3:::amzn-s3-demo-bucket", {}, True),
    ("deployer-options.json", None, "s3:PutBucketPolicy", "arn:aws:s3:::another", {}, False),
    ("deployer-options.json", None, "s3:DeleteBucket", "arn:aws:s3:::bulk-presign-results", {}, False),
    ("deployer.json", None, "s3:PutObject", "arn:aws:s3:::amzn-s3-demo-code/bulk-presign/a.zip", {}, True),
]

# What CloudFormation does to make, change and remove a resource of each type, at least.
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
DOES = {
    "AWS::ApiGateway::Deployment": "apigateway:POST apigateway:DELETE",
    "AWS::ApiGateway::RestApi": "apigateway:POST apigateway:GET apigateway:PUT apigateway:PATCH apigateway:DELETE",
    "AWS::ApiGateway::Stage": "apigateway:POST apigateway:PATCH apigateway:DELETE",
    "AWS::ApiGatewayV2::Api": "apigateway:POST apigateway:PUT apigateway:GET apigateway:DELETE",
    "AWS::ApiGatewayV2::ApiMapping": "apigateway:POST apigateway:DELETE",
    "AWS::ApiGatewayV2::DomainName": "apigateway:POST apigateway:DELETE",
    "AWS::ApiGatewayV2::Stage": "apigateway:POST apigateway:PATCH apigateway:DELETE logs:CreateLogDelivery logs:DeleteLogDelivery",
    "AWS::AppConfig::Application": "appconfig:CreateApplication appconfig:UpdateApplication appconfig:DeleteApplication",
    "AWS::AppConfig::ConfigurationProfile": "appconfig:CreateConfigurationProfile appconfig:DeleteConfigurationProfile",
    "AWS::AppConfig::HostedConfigurationVersion":
        "appconfig:CreateHostedConfigurationVersion appconfig:GetHostedConfigurationVersion appconfig:DeleteHostedConfigurationVersion",
    "AWS::CloudTrail::Trail": "cloudtrail:CreateTrail cloudtrail:UpdateTrail cloudtrail:StartLogging cloudtrail:PutEventSelectors"
                              " cloudtrail:DeleteTrail",
    "AWS::CloudWatch::Alarm": "cloudwatch:PutMetricAlarm cloudwatch:DescribeAlarms cloudwatch:DeleteAlarms",
    "AWS::CloudWatch::Dashboard": "cloudwatch:PutDashboard cloudwatch:GetDashboard cloudwatch:DeleteDashboards",
    "AWS::CodeDeploy::Application": "codedeploy:CreateApplication codedeploy:DeleteApplication",
    "AWS::CodeDeploy::DeploymentGroup": "codedeploy:CreateDeploymentGroup codedeploy:UpdateDeploymentGroup codedeploy:DeleteDeploymentGroup",
    "AWS::Events::Rule": "events:PutRule events:PutTargets events:RemoveTargets events:DeleteRule events:DescribeRule",
    "AWS::IAM::ManagedPolicy": "iam:CreatePolicy iam:CreatePolicyVersion iam:DeletePolicyVersion iam:ListPolicyVersions iam:DeletePolicy",
    "AWS::IAM::Role": "iam:CreateRole iam:GetRole iam:DeleteRole iam:PutRolePolicy iam:DeleteRolePolicy iam:AttachRolePolicy"
                      " iam:DetachRolePolicy iam:UpdateAssumeRolePolicy iam:PassRole",
    "AWS::Lambda::Alias": "lambda:CreateAlias lambda:UpdateAlias lambda:GetAlias lambda:DeleteAlias"
                          " codedeploy:CreateDeployment codedeploy:GetDeployment codedeploy:GetDeploymentConfig",
    "AWS::Lambda::EventSourceMapping":
        "lambda:CreateEventSourceMapping lambda:UpdateEventSourceMapping lambda:GetEventSourceMapping lambda:DeleteEventSourceMapping",
    "AWS::Lambda::Function": "lambda:CreateFunction lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration lambda:GetFunction"
                             " lambda:DeleteFunction lambda:PutFunctionConcurrency lambda:TagResource s3:GetObject",
    "AWS::Lambda::Permission": "lambda:AddPermission lambda:RemovePermission lambda:GetPolicy",
    "AWS::Lambda::Version": "lambda:PublishVersion lambda:PutProvisionedConcurrencyConfig lambda:ListVersionsByFunction",
    "AWS::Logs::LogGroup": "logs:CreateLogGroup logs:PutRetentionPolicy logs:DescribeLogGroups logs:AssociateKmsKey logs:DeleteLogGroup",
    "AWS::S3::Bucket": "s3:CreateBucket s3:PutEncryptionConfiguration s3:PutBucketPublicAccessBlock s3:PutBucketOwnershipControls"
                       " s3:PutLifecycleConfiguration s3:PutBucketNotification s3:PutBucketCORS s3:PutBucketVersioning",
    "AWS::S3::BucketPolicy": "s3:PutBucketPolicy s3:GetBucketPolicy s3:DeleteBucketPolicy",
    "AWS::SQS::Queue": "sqs:CreateQueue sqs:SetQueueAttributes sqs:GetQueueAttributes sqs:DeleteQueue",
    "AWS::SQS::QueuePolicy": "sqs:SetQueueAttributes",
    "AWS::StepFunctions::StateMachine": "states:CreateStateMachine states:UpdateStateMachine states:DescribeStateMachine"
                                        " states:DeleteStateMachine iam:PassRole",
}
LARGEST = 6144  # characters of a managed policy, white space aside
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html


# What parliament finds and is meant so.
MEANT = {
    "key-policy.json": ("RESOURCE_STAR", ),  # in a key's policy "*" is the key
    "deployer.json": ("INVALID_ARN", ),  # the transform, which sam deploy asks for, is AWS's own
    # Who may give a bucket its policy may let himself in; of the data bucket leave it out where DataBucketPolicy is false.
    "deployer-options.json": ("RESOURCE_POLICY_PRIVILEGE_ESCALATION", ),
}


def as_list(value):
    return value if isinstance(value, list) else [value]


def matches(patterns, value):
    # Only "*" and "?" are wildcards in IAM.
    return any(fnmatch.fnmatchcase(value.lower(), p.lower().replace("[", "[[]")) for p in as_list(patterns))


def holds(condition, context):
    """Whether a statement's condition is met; a key that the request does not have meets none but a negated one."""
    for operator, keys in condition.items():
        for key, want in keys.items():
            got = context.get(key)
            if operator in ("StringEquals", "ArnEquals", "StringLike", "ArnLike"):
                if got is None or not matches(want, got):
                    return False
            elif operator == "Bool":
                if str(context.get(key, "true")).lower() != want:
                    return False
            else:
                raise NotImplementedError(operator)
    return True


def allows(document, principal, action, resource, context):
    allowed = False
    for s in document["Statement"]:
        if principal and s["Principal"] != "*" and not any(matches(p, principal) for p in s["Principal"].values()):
            continue
        if matches(s["Action"], action) and matches(s["Resource"], resource) and holds(s.get("Condition", {}), context):
            if s["Effect"] == "Deny":
                return False
            allowed = True
    return allowed


def check_policies_to_take(folder, types, parliament_on):
    """folder: examples/policies. types: of all resources that the template can make."""
    documents = {path.name: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    findings = []
    for name, document in documents.items():
        findings += [f for f in parliament_on(name, document) if f.split()[2] not in MEANT.get(name, ())]
        if name not in {row[0] for row in ASKS}:
            findings.append(f"{name}: no row says what it is for")
    for name, principal, action, resource, context, want in ASKS:
        if allows(documents[name], principal, action, resource, context) != want:
            findings.append(f"{name}: {action} on {resource} with {context} should be {'allowed' if want else 'refused'}")
    may = []
    for name in ("deployer.json", "deployer-options.json"):
        if (size := len(json.dumps(documents[name], separators=(",", ":")))) > LARGEST:
            findings.append(f"{name} has {size} characters, and a managed policy may have {LARGEST}")
        may += [a for s in documents[name]["Statement"] if s["Effect"] == "Allow" for a in as_list(s["Action"])]
    for kind in sorted(types | DOES.keys()):
        if kind not in DOES:
            findings.append(f"{kind}: no row says what its deployer must be allowed")
        elif kind not in types:
            findings.append(f"{kind}: the template makes none")
        else:
            findings += [f"the deployer may not {a}, which {kind} takes" for a in DOES[kind].split() if not matches(may, a)]
    return findings
