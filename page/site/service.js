// Asks the service. A request that fails is a Problem: what the service said (RFC 9457), and what to do about it.

export class Problem extends Error {
  constructor(members) {
    super(members.detail ?? members.title ?? 'the request failed')
    Object.assign(this, members)
    this.cure ??= cures[this.code]
  }
}

// docs/reference.md has more about each.
const cures = {
  InvalidRequest: 'change the request as it says.',
  InvalidOption: 'change the option as it says, or leave it out.',
  ExpiryTooLong: 'ask for a shorter time.',
  BucketNotAllowed: 'check the name of the bucket; the operator names those that may be signed for in PRESIGN_BUCKETS.',
  OperationNotAllowed: 'the operator has to name the operation in PRESIGN_OPERATIONS, or a rule of the policy has to allow it.',
  KeyNotAllowed: 'ask for keys under the prefix that it names.',
  TooManyKeys: 'ask for fewer keys at a time, or put the list into the bucket for lists.',
  ResponseTooLarge: 'ask for fewer keys at a time.',
  CredentialsUnavailable: 'try again in some seconds.',
  InternalError: 'try again; then ask the operator, who finds the request id in the log.',
}

export const service = {address: '', token: '', settings: {}, options: {}}

// post sends a request and returns the response, if it is a good one.
async function post(request, accept) {
  if (!service.address) throw new Problem({code: 'NoService', detail: 'no service to ask', cure: 'write its address under Service, above.'})
  const headers = {'content-type': 'application/json', accept}
  if (service.token) headers.authorization = `Bearer ${service.token}`
  let body = JSON.stringify(request)
  if (body.length > 64_000 && 'CompressionStream' in window) { // an event of Lambda has 6 MB
    body = await new Response(new Blob([body]).stream().pipeThrough(new CompressionStream('gzip'))).blob()
    headers['content-encoding'] = 'gzip'
  }
  let response
  try {
    response = await fetch(service.address, {method: 'POST', headers, body, credentials: 'omit', referrerPolicy: 'no-referrer'})
  } catch {
    throw new Problem({
      code: 'NoAnswer', detail: `the service at ${new URL(service.address, location).host} did not answer this page`,
      cure: new URL(service.address, location).origin === location.origin ? 'look whether it still runs, and try again.'
        : `look whether the address is right, and whether it lets pages of ${location.origin} call: the template's AllowedOrigins, or make local ORIGINS=${location.origin}.`,
    })
  }
  if (response.ok) return response
  const text = await response.text()
  let said = {}
  try { said = JSON.parse(text) } catch { /* a proxy's page */ }
  if (said?.code) throw new Problem({...said, status: response.status})
  throw new Problem({
    code: 'NotTheService', status: response.status, detail: said?.message ? `what is at the address says: ${said.message}` : 'what is at the address is not the service',
    cure: response.status === 401 || response.status === 403 ? 'give a token that it takes; a route with IAM alone cannot be asked by a page.'
      : response.status === 429 || response.status === 503 ? 'try again in some seconds.' : 'check the address.',
  })
}

// ask asks for JSON. An answer that was too large is fetched from where it lies.
export async function ask(request) {
  const answer = await (await post(request, '*/*')).json()
  if (!answer.results) return answer
  return {...answer, ...await (await results(answer)).json()}
}

async function results(answer) {
  try {
    const response = await fetch(answer.results.url, {credentials: 'omit', referrerPolicy: 'no-referrer'})
    if (response.ok) return response
  } catch { /* said below */ }
  throw new Problem({code: 'NoResults', detail: 'the answer was too large and lies in the results bucket, from which this page cannot read',
    cure: `the bucket's CORS rules must let ${location.origin} GET; or ask for fewer keys.`})
}

// text asks for an answer in a text format, as a Blob.
export async function text(request) {
  const response = await post(request, '*/*')
  if (!response.headers.get('content-type')?.startsWith('application/json')) return response.blob()
  const answer = JSON.parse(await response.text())
  return (await results(answer)).blob()
}

// sign asks for URLs of any number of keys, in as few requests as the service takes, and hands each answer's rows on:
// {key, part, url, headers, ends, error, warning}. It returns the first answer, with the earliest end of all.
export async function sign(request, add) {
  if (request.prefix !== undefined) {
    let whole
    for (let token; ;) {
      const answer = await ask({...request, format: 'compact', ...token && {continuation_token: token}})
      const keys = ['signatures', 'urls', 'errors', 'part_urls'].flatMap((part) => Object.keys(answer[part] ?? {}))
      add(rows(answer, keys))
      whole = joined(whole, answer)
      if (!(token = answer.continuation_token)) return whole
    }
  }
  let whole
  for (let rest = request.keys, n = rest.length; rest.length > 0;) {
    const part = rest.slice(0, n)
    try {
      const answer = await ask({...request, keys: part, format: 'compact'})
      add(rows(answer, part.map((i) => i.key ?? i)))
      whole = joined(whole, answer)
      rest = rest.slice(part.length)
    } catch (e) {
      const fewer = e.code === 'ResponseTooLarge' && e.fits > 0 ? Math.min(e.fits, part.length - 1) : e.code === 'TooManyKeys' || e.code === 'ResponseTooLarge' ? part.length >> 1 : 0
      if (fewer < 1) throw Object.assign(e, {answered: whole})
      n = fewer
    }
  }
  return whole
}

const joined = (a, b) => !a ? b : {...a, expires_at: a.expires_at < b.expires_at ? a.expires_at : b.expires_at}

// escaped is the rule of the format compact.
const escaped = (key) => encodeURIComponent(key).replace(/[!'()*]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase()).replaceAll('%2F', '/')

const own = (object, key) => object && Object.hasOwn(object, key) ? object[key] : undefined

function rows(answer, keys) {
  const out = []
  for (const key of new Set(keys)) {
    const row = {key, headers: own(answer.item_headers, key) ?? answer.headers, warning: own(answer.warnings, key), ends: Date.parse(answer.expires_at)}
    const signature = own(answer.signatures, key), parts = own(answer.part_urls, key)
    if (own(answer.errors, key)) out.push({...row, error: own(answer.errors, key)})
    else if (parts) for (const [part, url] of Object.entries(parts)) out.push({...row, part, url})
    else out.push({...row, url: signature ? `${answer.base}${escaped(key)}?${answer.query}&X-Amz-Signature=${signature}` : own(answer.urls, key)})
  }
  return out
}
