// The whole service from what make package left in dist/: its zips and template.json are copied to a bucket of yours, and
// CloudFormation makes the stack that template.json describes, as a stack inside this one.
//
//   npm install && npx cdk deploy -c codeBucket=CODE-BUCKET -c Bucket=photos -c MaxExpiresIn=900
//
// Every parameter of template.yaml may be given in this way; another name is an error.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as cdk from 'aws-cdk-lib';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { BucketDeployment, Source } from 'aws-cdk-lib/aws-s3-deployment';

const dist = process.env.DIST ?? fileURLToPath(new URL('../../dist', import.meta.url));
const text = readFileSync(`${dist}/template.json`);
const known = Object.keys(JSON.parse(text).Parameters);

const app = new cdk.App();
const codeBucket = app.node.tryGetContext('codeBucket');
if (!codeBucket) throw new Error('give a bucket for the code: -c codeBucket=CODE-BUCKET');
const given = Object.entries(app.node.getAllContext()).filter(([name]) => /^[A-Z]/.test(name));
for (const [name] of given) if (!known.includes(name)) throw new Error(`template.json has no parameter ${name}`);
if (!given.some(([name]) => name === 'Bucket')) throw new Error('give the bucket to sign for: -c Bucket=NAME');

const stack = new cdk.Stack(app, 'BulkPresign');
// Another template has another address, so that it is a change, and the one before stays as a way back.
const prefix = `bulk-presign/${cdk.FileSystem.fingerprint(dist).slice(0, 16)}/`;
const code = new BucketDeployment(stack, 'Code', {
  sources: [Source.asset(dist)],
  destinationBucket: Bucket.fromBucketName(stack, 'CodeBucket', codeBucket),
  destinationKeyPrefix: prefix,
  prune: false,
  retainOnDelete: true,
});
const presigner = new cdk.CfnStack(stack, 'Presigner', {
  templateUrl: `https://${codeBucket}.s3.${stack.region}.${stack.urlSuffix}/${prefix}template.json`,
  parameters: { ...Object.fromEntries(given.map(([name, value]) => [name, String(value)])), CodeBucket: codeBucket, CodePrefix: prefix },
});
presigner.node.addDependency(code);
for (const name of ['ApiUrl', 'ApiFunctionName', 'ApiRouteArn']) {
  new cdk.CfnOutput(stack, name, { value: presigner.getAtt(`Outputs.${name}`).toString() });
}
app.synth();
