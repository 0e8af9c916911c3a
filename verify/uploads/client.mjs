// Sends uploads with fetch: tasks as JSON on standard input, what became of them on standard output.
import {createHash} from 'node:crypto'
import {openAsBlob, readFileSync} from 'node:fs'

const tasks = JSON.parse(readFileSync(0))

async function send(task) {
  if (task.upload) return sendParts(task)
  if (task.fields) {
    const form = new FormData()
    for (const [name, value] of task.fields) form.append(name, value)
    form.append('file', await openAsBlob(task.file))
    return (await fetch(task.url, {method: 'POST', body: form})).status
  }
  return (await fetch(task.url, {method: 'PUT', headers: task.headers ?? {}, body: readFileSync(task.file)})).status
}

const partOf = (task, n) =>
  Buffer.alloc(Math.min(task.upload.part_size, task.size - (n - 1) * task.upload.part_size), `${task.seed}:${n};`)

// sendParts sends the parts that have URLs, or the first few of them, and completes the upload when none is missing.
async function sendParts(task) {
  const etags = {...task.upload.uploaded_parts}
  let damaged = 0
  const numbers = Object.keys(task.upload.part_urls).map(Number).slice(0, task.stop_after || undefined)
  for (const n of numbers) {
    const body = partOf(task, n)
    const md5 = createHash('md5').update(body).digest('base64')
    const put = body => fetch(task.upload.part_urls[n], {method: 'PUT', headers: {'content-md5': md5}, body})
    if (n === task.damage) {
      const other = Buffer.from(body)
      other[other.length >> 1] ^= 1
      damaged = (await put(other)).status
    }
    const answer = await put(body)
    if (!answer.ok) return {status: answer.status, part: n}
    etags[n] = answer.headers.get('etag')
  }
  if (Object.keys(etags).length < task.upload.part_count) return {status: 0, parts: Object.keys(etags).length, damaged}
  const list = Object.entries(etags).map(([n, etag]) => `<Part><PartNumber>${n}</PartNumber><ETag>${etag}</ETag></Part>`)
  const answer = await fetch(task.upload.complete_url, {
    method: 'POST', headers: task.upload.complete_headers ?? {}, body: `<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`,
  })
  const text = await answer.text()
  return {status: text.includes('<Error>') ? 500 : answer.status, damaged}
}

const out = new Array(tasks.length)
let next = 0
await Promise.all(Array.from({length: 8}, async () => {
  for (let i; (i = next++) < tasks.length;) out[i] = await send(tasks[i])
}))
process.stdout.write(JSON.stringify(out))
