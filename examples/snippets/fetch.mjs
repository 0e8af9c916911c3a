// Node's own fetch and a token, without a library. Needs PRESIGN_URL, and PRESIGN_TOKEN where the route asks for one.
const { PRESIGN_URL, PRESIGN_TOKEN } = process.env;

const response = await fetch(PRESIGN_URL, {
  method: "POST",
  headers: { "content-type": "application/json", ...(PRESIGN_TOKEN && { authorization: `Bearer ${PRESIGN_TOKEN}` }) },
  body: JSON.stringify({ keys: ["hello world.txt", "2026/05/star.svg"], expires_in: 300 }),
});
const answer = await response.json();
if (!response.ok) throw new Error(`${answer.code}: ${answer.detail}`);
for (const [key, error] of Object.entries(answer.errors ?? {})) throw new Error(`${key}: ${error.code}: ${error.message}`);
for (const url of Object.values(answer.urls)) console.log(url);
