"""What each policy of the template grants: for sets of parameters, its statements by Sid, no more and no less."""

from stack import ACCOUNT, ID, REGION, STACK

SIGNING_ROLE = "arn:aws:iam::210987654321:role/photos-signer"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef"
OTHER_KEY = KEY.replace("12345678-", "87654321-")
NOTES = f"arn:aws:sqs:{REGION}:{ACCOUNT}:told"
OTHER = "210987654321"
ALL = "UploadPart,DeleteObject,PutObject,HeadObject,GetObject"


def s3(*paths):
    return [f"arn:aws:s3:::{path}" for path in paths]


def owned(account=ACCOUNT):
    """By the usual header, or any other way."""
    return {"StringEquals": {"aws:ResourceAccount": account}}


def by_url(account=ACCOUNT):
    return {"StringEquals": {"s3:authType": "REST-QUERY-STRING", "aws:ResourceAccount": account}}


def through_s3(*paths):
    return {"StringLike": {"kms:ViaService": ["s3.*.amazonaws.com", "s3.*.amazonaws.com.cn"],
                           "kms:EncryptionContext:aws:s3:arn": s3(*paths)}}


def own_log(name):
    return {"WriteOwnLog": ("logs:CreateLogStream logs:PutLogEvents",
                            [f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{STACK}-{name}-{ID}:*"], {})}


def signs(actions, path="photos/*", account=ACCOUNT):
    """What URLs of one batch or another may do with objects."""
    return {"SignObjects": (actions, s3(path), by_url(account))}


READ, WRITE, DELETE = "s3:GetObject", "s3:PutObject", "s3:DeleteObject"


def also(sid, actions, resource="photos/*", how=None):
    """What is signed beside objects, or in another way."""
    condition = by_url()
    if how:
        condition["StringEquals"]["s3:authType"] = how
    return {sid: (actions, s3(resource), condition)}


def results(path, account=ACCOUNT, signed=True):
    """Put by the function, read by URL."""
    kept = {"KeepResults": ("s3:PutObject", s3(path), owned(account))}
    return kept | ({"SignResults": ("s3:GetObject", s3(path), by_url(account))} if signed else {})


TRACES = {"SendTraces": ("xray:PutTelemetryRecords xray:PutTraceSegments", ["*"], {})}
VPC = {"JoinVpc": (
    "ec2:CreateNetworkInterface ec2:DescribeNetworkInterfaces ec2:DescribeSubnets ec2:DeleteNetworkInterface"
    " ec2:AssignPrivateIpAddresses ec2:UnassignPrivateIpAddresses", ["*"], {}),
    "DenyVpcToCode": ("ec2:*", ["*"], {"Null": {"lambda:SourceFunctionArn": "false"}})}

SIGNING = [
    ("defaults", {}, signs(READ) | TRACES),
    ("no traces", {"Tracing": "PassThrough"}, signs(READ)),
    ("HeadObject", {"Operations": "HeadObject"}, signs(READ) | TRACES),
    ("PutObject", {"Operations": "PutObject"}, signs(WRITE) | TRACES),
    ("UploadPart", {"Operations": "UploadPart"}, signs(WRITE) | TRACES),
    ("DeleteObject", {"Operations": "DeleteObject"}, signs(DELETE) | TRACES),
    ("CreateMultipartUpload", {"Operations": "CreateMultipartUpload"}, signs(WRITE) | TRACES),
    ("CompleteMultipartUpload", {"Operations": "CompleteMultipartUpload"}, signs(WRITE) | TRACES),
    ("AbortMultipartUpload", {"Operations": "AbortMultipartUpload"}, signs("s3:AbortMultipartUpload") | TRACES),
    ("ListParts", {"Operations": "ListParts"}, signs("s3:ListMultipartUploadParts") | TRACES),
    # S3 reads the source in the name of who signed.
    ("CopyObject", {"Operations": "CopyObject"}, signs(READ + " " + WRITE) | TRACES),
    ("UploadPartCopy", {"Operations": "UploadPartCopy"}, signs(READ + " " + WRITE) | TRACES),
    ("GetObjectAttributes", {"Operations": "GetObjectAttributes"}, signs(READ + " s3:GetObjectAttributes") | TRACES),
    ("GetObjectTagging", {"Operations": "GetObjectTagging"}, signs("s3:GetObjectTagging") | TRACES),
    ("PutObjectTagging", {"Operations": "PutObjectTagging"}, signs("s3:PutObjectTagging") | TRACES),
    ("tags of versions", {"Operations": "PutObjectTagging,GetObjectTagging", "ObjectVersions": "true"},
     signs("s3:GetObjectTagging s3:GetObjectVersionTagging s3:PutObjectTagging s3:PutObjectVersionTagging") | TRACES),
    ("ListObjectsV2", {"Operations": "ListObjectsV2", "KeyPrefix": "a/"}, TRACES | {
        "SignLists": ("s3:ListBucket", s3("photos"), by_url() | {"StringLike": {"s3:prefix": "a/*"}})}),
    ("HeadBucket", {"Operations": "HeadBucket"}, also("SignBucketHeads", "s3:ListBucket", "photos") | TRACES),
    ("RestoreObject", {"Operations": "RestoreObject"}, signs("s3:RestoreObject") | TRACES),
    ("PostObject", {"Operations": "PostObject"}, also("SignForms", "s3:PutObject", how="POST") | TRACES),
    ("PostObject under a key", {"Operations": "PostObject", "KmsKeyArn": KEY}, also("SignForms", "s3:PutObject", how="POST") | TRACES | {
        "UseKeyThroughS3": ("kms:Decrypt kms:GenerateDataKey", [KEY], through_s3("photos", "photos/*"))}),
    ("MultipartUpload", {"Operations": "MultipartUpload"}, signs(WRITE + " s3:AbortMultipartUpload s3:ListMultipartUploadParts") | TRACES),
    # Only reads know versions: no s3:PutObjectVersion and the like.
    ("versions of PutObject", {"Operations": "PutObject", "ObjectVersions": "true"}, signs(WRITE) | TRACES),
    ("versions of GetObject", {"ObjectVersions": "true"}, signs("s3:GetObject s3:GetObjectVersion") | TRACES),
    ("prefix", {"KeyPrefix": "team-a/"}, signs(READ, "photos/team-a/*") | TRACES),
    ("another account's bucket", {"BucketAccount": OTHER}, signs(READ, account=OTHER) | TRACES),
    ("listing", {"ListKeys": "true", "KeyPrefix": "team-a/"}, signs(READ, "photos/team-a/*") | TRACES | {
        "SignLists": ("s3:ListBucket", s3("photos"), by_url() | {"StringLike": {"s3:prefix": "team-a/*"}})}),
    ("KMS, read", {"KmsKeyArn": KEY}, signs(READ) | TRACES | {
        "UseKeyThroughS3": ("kms:Decrypt", [KEY], through_s3("photos", "photos/*"))}),
    # A key is of no use to DeleteObject.
    ("KMS, delete", {"KmsKeyArn": KEY, "Operations": "DeleteObject"}, signs(DELETE) | TRACES),
    ("results", {"ResultsBucket": "answers"}, signs(READ) | TRACES | results("answers/results/*")),
    ("results under a key", {"ResultsBucket": "answers", "ResultsKmsKeyArn": OTHER_KEY}, signs(READ) | TRACES
     | results("answers/results/*") | {
        "UseResultsKeyThroughS3": ("kms:Decrypt kms:GenerateDataKey", [OTHER_KEY], through_s3("answers", "answers/results/*"))}),
    ("results beside data", {"ResultsBucket": "photos", "KmsKeyArn": KEY, "BucketAccount": OTHER, "KeyPrefix": "a/"},
     signs(READ, "photos/a/*", OTHER) | TRACES | results("photos/results/*", OTHER) | {
        "UseKeyThroughS3": ("kms:Decrypt", [KEY], through_s3("photos", "photos/a/*")),
        "UseResultsKeyThroughS3": ("kms:Decrypt kms:GenerateDataKey", [KEY], through_s3("photos", "photos/results/*"))}),
    ("results of the stack's own", {"MakeResultsBucket": "true"}, signs(READ) | TRACES | results("<ResultsStore>/results/*")),
    ("jobs make a results bucket", {"Jobs": "true"}, signs(READ) | TRACES | results("<ResultsStore>/results/*")),
    ("in a VPC", {"VpcSubnetIds": "subnet-1,subnet-2", "VpcSecurityGroupIds": "sg-1"}, signs(READ) | TRACES | VPC),
    ("everything", {
        "Operations": ALL, "ObjectVersions": "true", "KeyPrefix": "a/b/", "KmsKeyArn": KEY, "ResultsBucket": "answers",
        "ResultsPrefix": "x/y/"},
     signs("s3:GetObject s3:GetObjectVersion s3:PutObject s3:DeleteObject s3:DeleteObjectVersion", "photos/a/b/*") | TRACES | results("answers/x/y/*") | {
        "UseKeyThroughS3": ("kms:Decrypt kms:GenerateDataKey", [KEY], through_s3("photos", "photos/a/b/*"))}),
    # The signing role holds the permissions then; these can do nothing on the bucket.
    ("signing role", {
        "SigningRoleArn": SIGNING_ROLE, "Operations": ALL, "KmsKeyArn": KEY, "ListKeys": "true", "ResultsBucket": "answers"},
     TRACES | results("answers/results/*", signed=False) | {"AssumeSigningRole": ("sts:AssumeRole", [SIGNING_ROLE], {})}),
    ("signing role elsewhere", {"SigningRoleArn": SIGNING_ROLE, "SigningExternalId": "photos-1"}, TRACES | {
        "AssumeSigningRole": ("sts:AssumeRole", [SIGNING_ROLE], {"StringEquals": {"sts:ExternalId": "photos-1"}})}),
]


def kept(lists, bucket="photos", results="answers/results/", prefix="", list_owner=ACCOUNT, bucket_owner=ACCOUNT):
    """What the jobs' role reads for itself."""
    return {
        "ReadLists": ("s3:GetObject s3:GetObjectVersion", s3(lists + "*"), owned(list_owner)),
        "ListPrefixes": ("s3:ListBucket", s3(bucket), owned(bucket_owner) | {"StringLike": {"s3:prefix": prefix + "*"}}),
        "ListLists": ("s3:ListBucket", s3(lists.split("/")[0]), owned(list_owner) | {
            "StringLike": {"s3:prefix": lists.partition("/")[2] + "*"}}),
        "ReadProgress": ("s3:GetObject", s3(results + "*.json", results + "*.ndjson.gz"), owned()),
        "DropUploads": ("s3:AbortMultipartUpload", s3(results + "*"), owned()),
    }


QUEUES = [f"arn:aws:sqs:{REGION}:{ACCOUNT}:presign-{name}-{ID}" for name in ("requests", "lists")]
OWN_QUEUES = {
    "UseOwnQueues": ("sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes sqs:ChangeMessageVisibility", QUEUES, {}),
    "HandOn": ("sqs:SendMessage", QUEUES[1:], {}),
}
HAVE_JOBS = {"Jobs": "true", "ResultsBucket": "answers"}
JOBS = [
    ("lists in the data bucket", HAVE_JOBS, kept("photos/manifests/")),
    ("a results bucket of the stack's own", {"Jobs": "true", "KeyPrefix": "a/"},
     kept("photos/manifests/", results="<ResultsStore>/results/", prefix="a/")),
    ("lists apart, and notes", HAVE_JOBS | {
        "ManifestBucket": "lists", "ManifestPrefix": "in/", "NotifyQueueArn": NOTES, "BucketAccount": OTHER},
     kept("lists/in/", bucket_owner=OTHER) | {"TellOfResults": ("sqs:SendMessage", [NOTES], {})}),
    ("keys of lists and notes", HAVE_JOBS | {
        "ManifestBucket": "lists", "ManifestKmsKeyArn": KEY, "NotifyQueueArn": NOTES, "NotifyKmsKeyArn": OTHER_KEY,
        "KmsKeyArn": OTHER_KEY},
     kept("lists/manifests/") | {
        "TellOfResults": ("sqs:SendMessage", [NOTES], {}),
        "UseListsKeyThroughS3": ("kms:Decrypt", [KEY], through_s3("lists", "lists/manifests/*")),
        "UseNotifyKeyThroughSQS": ("kms:Decrypt kms:GenerateDataKey", [OTHER_KEY], {
            "StringLike": {"kms:ViaService": ["sqs.*.amazonaws.com", "sqs.*.amazonaws.com.cn"]}})}),
    # Lists are read by the function itself, whoever signs.
    ("signing role", HAVE_JOBS | {"SigningRoleArn": SIGNING_ROLE, "KmsKeyArn": KEY}, kept("photos/manifests/") | {
        "UseListsKeyThroughS3": ("kms:Decrypt", [KEY], through_s3("photos", "photos/manifests/*"))}),
]

HAVE_SCALE = HAVE_JOBS | {"Scale": "true"}
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{STACK}-scale"
SCALE = {
    "SignShards": ("lambda:InvokeFunction", [f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:JobsFunction"], {}),
    "RunChildren": ("states:StartExecution", [MACHINE], {}),
    "WatchChildren": ("states:DescribeExecution states:RedriveExecution states:StopExecution",
                      [MACHINE.replace("stateMachine", "execution") + end for end in (":*", "/*")], {}),
    "DeliverLog": (
        "logs:CreateLogDelivery logs:DeleteLogDelivery logs:DescribeLogGroups logs:DescribeResourcePolicies logs:GetLogDelivery"
        " logs:ListLogDeliveries logs:PutResourcePolicy logs:UpdateLogDelivery", ["*"], {}),
}
MACHINE_TRACES = {"SendTraces": (
    "xray:GetSamplingRules xray:GetSamplingTargets xray:PutTelemetryRecords xray:PutTraceSegments", ["*"], {})}


def shards(path):
    return {"ReadShards": ("s3:GetObject", s3(path), owned())}


GRADUAL = {"Deployment": "Canary10Percent5Minutes"}

# Each policy of the template: what it always grants, and its table.
POLICIES = {
    "SigningPolicy": ({}, SIGNING),
    "ApiRole": (own_log("api"), [("defaults", {}, {}), ("jobs", HAVE_JOBS, {})]),
    "JobsRole": (own_log("jobs") | OWN_QUEUES, JOBS),
    "ScaleRole": (SCALE, [
        ("scale", HAVE_SCALE, shards("answers/results/*/shards.json") | MACHINE_TRACES),
        ("scale without traces, in a results bucket of the stack's own, under a key", {
            "Jobs": "true", "Scale": "true", "Tracing": "PassThrough", "ResultsPrefix": "x/", "ResultsKmsKeyArn": KEY},
         shards("<ResultsStore>/x/*/shards.json") | {"UseResultsKeyThroughS3": ("kms:Decrypt", [KEY], through_s3("<ResultsStore>", "<ResultsStore>/x/*"))})]),
    "NewVersionCheckRole": (own_log("api"), [("gradual", GRADUAL, {
        "CallVersions": ("lambda:InvokeFunction", [f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:ApiFunction:*"], {}),
        "TellCodeDeploy": ("codedeploy:PutLifecycleEventHookExecutionStatus", ["*"], {})})]),
    "DeploymentRole": ({}, [("gradual", GRADUAL, {
        "MoveAlias": ("lambda:GetAlias lambda:UpdateAlias", [f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:ApiFunction"], {}),
        "CheckNewVersion": ("lambda:InvokeFunction", [f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:NewVersionCheck"], {}),
        "ReadAlarms": ("cloudwatch:DescribeAlarms", [f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:*"], {})})]),
}
# The managed policies that each role carries.
CARRIED = {"ApiRole": ["<SigningPolicy>"], "JobsRole": ["<SigningPolicy>"]}
