// aws4 and aws4fetch in a loop, as contestants: process.go has the protocol.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");

const say = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");

// A key as a URL has it.
const escaped = (key) =>
  encodeURIComponent(key).replace(/%2F/g, "/").replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());

const signers = {
  aws4({ region, expires_in, access_key_id, secret_access_key, session_token }, host) {
    const aws4 = require("aws4");
    const credentials = { accessKeyId: access_key_id, secretAccessKey: secret_access_key, sessionToken: session_token };
    return (key) => {
      const request = { host, service: "s3", region, signQuery: true, path: `/${escaped(key)}?X-Amz-Expires=${expires_in}` };
      return "https://" + host + aws4.sign(request, credentials).path;
    };
  },
  aws4fetch({ region, expires_in, access_key_id, secret_access_key, session_token }, host) {
    const { AwsClient } = require("aws4fetch");
    const client = new AwsClient({
      accessKeyId: access_key_id,
      secretAccessKey: secret_access_key,
      sessionToken: session_token,
      service: "s3",
      region,
    });
    return async (key) => {
      const url = `https://${host}/${escaped(key)}?X-Amz-Expires=${expires_in}`;
      return (await client.sign(url, { aws: { signQuery: true } })).url;
    };
  },
};

async function main(name) {
  let presign;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const message = JSON.parse(line);
    if (!presign) {
      presign = signers[name](message, `${message.bucket}.s3.${message.region}.amazonaws.com`);
      const manifest = path.join(process.env.NODE_PATH, name, "package.json");
      say({ version: JSON.parse(fs.readFileSync(manifest)).version });
      continue;
    }
    const urls = [];
    const start = process.hrtime.bigint();
    for (const key of message.keys) urls.push(await presign(key));
    const ns = Number(process.hrtime.bigint() - start);
    say({ ns, urls: message.want_urls ? urls : null });
  }
}

main(process.argv[process.argv.length - 1]).catch((error) => {
  console.error(error.name); // the message could quote the request
  process.exit(1);
});
