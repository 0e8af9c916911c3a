// Uses each task of the JSON array on stdin with fetch. What a 200 brings goes to task.out.
import { readFileSync, writeFileSync } from "node:fs";

for (const task of JSON.parse(readFileSync(0, "utf8"))) {
  const body = task.body ? readFileSync(task.body) : undefined;
  let response;
  try {
    response = await fetch(task.url, { method: task.method, headers: task.headers ?? {}, body });
  } catch {
    continue; // an outcome: the caller sees what arrived, and that there is no file
  }
  const content = Buffer.from(await response.arrayBuffer());
  if (response.status === 200) writeFileSync(task.out, content);
}
