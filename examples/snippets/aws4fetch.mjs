// aws4fetch signs with IAM; it runs in Node, Deno, Bun and Cloudflare's Workers. Needs PRESIGN_URL, AWS_REGION and credentials.
import { AwsClient } from "aws4fetch";

const { PRESIGN_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env;
const aws = new AwsClient({
  accessKeyId: AWS_ACCESS_KEY_ID,
  secretAccessKey: AWS_SECRET_ACCESS_KEY,
  sessionToken: AWS_SESSION_TOKEN,
  service: "execute-api",
  region: AWS_REGION,
});

const response = await aws.fetch(PRESIGN_URL, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ keys: ["hello world.txt", "2026/05/star.svg"], expires_in: 300 }),
});
const answer = await response.json();
if (!response.ok) throw new Error(`${answer.code}: ${answer.detail}`);
for (const [key, error] of Object.entries(answer.errors ?? {})) throw new Error(`${key}: ${error.code}: ${error.message}`);
for (const url of Object.values(answer.urls)) console.log(url);
