// @aws-sdk/s3-request-presigner in a loop, as a contestant: process.go has the protocol.
"use strict";
const readline = require("node:readline");
const { S3Client, GetObjectCommand } = require("@aws-sdk/client-s3");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");
const { version } = require("@aws-sdk/s3-request-presigner/package.json");

const say = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");

async function main() {
  let setup, client;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const message = JSON.parse(line);
    if (!setup) {
      setup = message;
      client = new S3Client({
        region: setup.region,
        credentials: {
          accessKeyId: setup.access_key_id,
          secretAccessKey: setup.secret_access_key,
          sessionToken: setup.session_token,
        },
        requestChecksumCalculation: "WHEN_REQUIRED",
        responseChecksumValidation: "WHEN_REQUIRED",
      });
      say({ version });
      continue;
    }
    const urls = [];
    const start = process.hrtime.bigint();
    for (const Key of message.keys) {
      const command = new GetObjectCommand({ Bucket: setup.bucket, Key });
      urls.push(await getSignedUrl(client, command, { expiresIn: setup.expires_in }));
    }
    const ns = Number(process.hrtime.bigint() - start);
    say({ ns, urls: message.want_urls ? urls : null });
  }
}

main().catch((error) => {
  console.error(error.name); // the message could quote the request
  process.exit(1);
});
