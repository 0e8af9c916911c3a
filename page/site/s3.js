// Sends to S3 what was signed, and says in a sentence what went wrong. URLs are secrets: no sentence has one.

export class Refused extends Error {
  constructor(sentence, {code, retry = false, expired = false} = {}) {
    super(sentence)
    Object.assign(this, {code, retry, expired})
  }
}

export class Stopped extends Error {}

// send is an XMLHttpRequest, since fetch does not tell how far an upload is. task is {method, url, headers, body}.
export function send(task, {progress, signal, known} = {}) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(new Stopped())
    const x = new XMLHttpRequest()
    x.open(task.method, task.url)
    for (const [name, value] of Object.entries(task.headers ?? {})) if (name !== 'content-length') x.setRequestHeader(name, value)
    const stop = () => x.abort()
    signal?.addEventListener('abort', stop)
    const end = (f) => async () => { signal?.removeEventListener('abort', stop); f() }
    if (progress) x.upload.onprogress = (e) => progress(e.loaded)
    x.onabort = end(() => reject(new Stopped()))
    x.onerror = end(async () => reject(await unanswered(task.url, known)))
    x.onload = end(() => {
      const error = x.status >= 300 || x.responseText.includes('<Error>')
      if (error) reject(refusal(x.status, x.responseText))
      else resolve({status: x.status, headers: new Map(x.getAllResponseHeaders().trim().split(/\r?\n/).map((l) => [l.slice(0, l.indexOf(':')).toLowerCase(), l.slice(l.indexOf(':') + 2)]))})
    })
    x.send(task.body ?? null)
  })
}

// unanswered tells a page that may not read an answer from a server that is not there: to ask without wanting to read is
// always allowed.
async function unanswered(url, known) {
  const {origin, host} = new URL(url)
  if (!known) {
    try {
      await fetch(origin, {mode: 'no-cors', credentials: 'omit', referrerPolicy: 'no-referrer', cache: 'no-store'})
      return new Refused(`S3 is there, and does not let this page use the bucket: its CORS rules must name the origin ${location.origin} (guardrails/cors.json is such a set of rules).`, {code: 'CORS'})
    } catch { /* it is not there */ }
  }
  return new Refused(`The connection to ${host} failed: S3 or the network is away.`, {code: 'Network', retry: true})
}

const inside = (text, tag) => text.match(new RegExp(`<${tag}>([^<]*)</${tag}>`))?.[1]

const sentences = {
  ExpiredToken: 'The session that signed the URL has ended. Sign again.',
  NoSuchKey: 'There is no such object.',
  NoSuchBucket: 'There is no such bucket.',
  NoSuchUpload: 'S3 does not know this upload any more: it was aborted or completed. Begin again.',
  EntityTooLarge: 'The file is larger than what was signed allows.',
  EntityTooSmall: 'The file, or a part of it, is smaller than S3 allows.',
  PreconditionFailed: 'There is an object with this key already, and it is not overwritten.',
  SignatureDoesNotMatch: 'S3 was sent something other than what was signed: another method, header or key.',
  BadDigest: 'What arrived is not what was sent. Try again.',
  InvalidPart: 'S3 does not have one of the parts as it was sent. Try again.',
  SlowDown: 'S3 asks to be asked less often. Try again.',
}

export function refusal(status, text) {
  const code = inside(text, 'Code'), message = inside(text, 'Message') ?? ''
  const known = {code, retry: status >= 500 || code === 'SlowDown'}
  if (/expired/i.test(message) && code !== 'ExpiredToken' || code === 'ExpiredToken') {
    return new Refused(code === 'ExpiredToken' ? sentences.ExpiredToken : 'The URL has expired. Sign again.', {...known, expired: true})
  }
  if (code === 'AccessDenied') return new Refused(`S3 does not allow it (AccessDenied${message && message !== 'Access Denied' ? `: ${message}` : ''}). The role that signed may lack the right, or a policy of the bucket refuses.`, known)
  if (sentences[code]) return new Refused(sentences[code], known)
  return new Refused(code ? `S3 answers ${code}${message ? `: ${message}` : ''}` : `S3 answers ${status}.`, known)
}
