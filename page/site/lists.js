// Reads lists of keys as people paste and drop them; docs/lists.md has the forms that the service reads from S3. A key is
// never changed: not trimmed, not decoded.

// parse gives {items, bucket, form}: items as a request's keys have them. options are the names that an item may have.
export function parse(text, name = '', options = {}) {
  text = text.replace(/^\ufeff/, '')
  const ending = name.toLowerCase().match(/\.([a-z]+)$/)?.[1] ?? ''
  const lines = text.split(/\r?\n/)
  const first = lines.find((l) => l.trim() !== '') ?? ''
  if (first === '') return {items: [], form: 'nothing'}
  if (['csv', 'tsv'].includes(ending)) return table(text, ending === 'tsv' ? '\t' : null, options)
  if (/^\s*[[{"]/.test(first) && ending !== 'txt') {
    const whole = json(text)
    if (whole !== undefined) return fromJSON(whole, options)
    if (json(first) !== undefined) return jsonLines(lines, options)
  }
  if (ending !== 'txt') {
    const header = record(first, separator(first))
    if (header.length > 1 && header.some((c) => c.toLowerCase() === 'key')) return table(text, null, options)
  }
  const keys = lines.filter((l) => l !== '')
  const uris = keys.map((k) => k.match(/^s3:\/\/([^/]+)\/(.+)$/s))
  if (uris.every((u) => u && u[1] === uris[0][1])) return {items: uris.map((u) => u[2]), bucket: uris[0][1], form: 'S3 URIs'}
  return {items: keys, form: 'lines'}
}

function json(text) {
  try { return JSON.parse(text) } catch { return undefined }
}

function item(value, options, where) {
  if (typeof value === 'string') return value
  const key = value?.key ?? value?.Key
  if (typeof key !== 'string') throw new Error(`${where} is neither a key nor an object with one`)
  const own = Object.entries(value).filter(([name, v]) => Object.hasOwn(options, name) && v != null)
  return own.length ? {key, ...Object.fromEntries(own)} : key
}

// fromJSON reads an array of items, a request, or an earlier answer.
function fromJSON(value, options) {
  if (typeof value === 'string' || typeof value?.key === 'string') value = [value]
  if (Array.isArray(value)) return {items: value.map((v, i) => item(v, options, `item ${i + 1}`)), form: 'JSON'}
  if (Array.isArray(value?.keys)) return {...fromJSON(value.keys, options), bucket: value.bucket, form: 'a request'}
  if (value?.urls || value?.signatures || value?.errors) {
    const keys = [value.urls, value.signatures, value.errors].flatMap((part) => Object.keys(part ?? {}))
    return {items: [...new Set(keys)], bucket: value.bucket, form: 'an earlier answer'}
  }
  throw new Error('this JSON has no keys: give an array, {"keys": [...]}, or a line for each key')
}

function jsonLines(lines, options) {
  const items = []
  lines.forEach((line, i) => {
    if (line.trim() === '') return
    const value = json(line)
    if (value === undefined) throw new Error(`line ${i + 1} is not JSON`)
    items.push(item(value, options, `line ${i + 1}`))
  })
  return {items, form: 'JSON Lines'}
}

const separator = (line) => [',', ';', '\t'].find((s) => line.includes(s)) ?? ','

const record = (line, separator) => records(line, separator)[0] ?? []

// records is RFC 4180.
function records(text, separator) {
  const all = []
  let row = [], field = '', quoted = false, begun = false
  const endRow = () => {
    row.push(field)
    if (row.length > 1 || row[0] !== '' || begun) all.push(row)
    row = []; field = ''; begun = false
  }
  for (let i = 0; i < text.length; i++) {
    const c = text[i]
    if (quoted) {
      if (c !== '"') field += c
      else if (text[i + 1] === '"') { field += '"'; i++ } else quoted = false
    } else if (c === '"' && field === '') { quoted = begun = true
    } else if (c === separator) { row.push(field); field = ''
    } else if (c === '\n' || c === '\r' && text[i + 1] === '\n') {
      if (c === '\r') i++
      endRow()
    } else field += c
  }
  if (quoted) throw new Error('a quoted field of the CSV does not end')
  if (field !== '' || row.length || begun) endRow()
  return all
}

// table reads columns by their names, or bucket, key, version_id where there are none.
function table(text, separated, options) {
  const rows = records(text, separated ?? separator(text.slice(0, text.search(/\n|$/))))
  if (rows.length === 0) return {items: [], form: 'CSV'}
  const names = rows[0].map((n) => n.trim().toLowerCase())
  const named = names.includes('key')
  const at = named ? names.indexOf('key') : Math.min(1, rows[0].length - 1)
  const bucketAt = named ? names.indexOf('bucket') : rows[0].length > 1 ? 0 : -1
  const extra = named ? names.map((n, i) => [n, i]).filter(([n]) => Object.hasOwn(options, n)) : rows[0].length > 2 ? [['version_id', 2]] : []
  const body = named ? rows.slice(1) : rows
  const buckets = new Set(bucketAt < 0 ? [] : body.map((r) => r[bucketAt]))
  if (buckets.size > 1) throw new Error('the list has keys of several buckets; sign for one at a time')
  const items = body.map((r, i) => {
    if (r[at] === undefined) throw new Error(`row ${i + 1} has too few columns`)
    const own = extra.filter(([, n]) => r[n]).map(([n, c]) => [n, typed(n, r[c], options)])
    return own.length ? {key: r[at], ...Object.fromEntries(own)} : r[at]
  })
  return {items, bucket: [...buckets][0], form: 'CSV'}
}

// typed makes of text what the option wants, as the request's JSON has it.
export function typed(name, text, options) {
  const wanted = options[name]?.type
  if (wanted === 'boolean' && /^(true|false)$/i.test(text.trim())) return text.trim().toLowerCase() === 'true'
  if (wanted === 'integer' && /^-?\d{1,15}$/.test(text.trim())) return Number(text)
  if (wanted === 'texts') return text.split(',').map((t) => t.trim())
  if (/^\s*[[{]/.test(text) && ['integers', 'map', 'texts', undefined].includes(wanted)) return json(text) ?? text
  if (wanted === 'integers' && /^[\d,\s]+$/.test(text)) return text.split(',').map(Number)
  if (wanted === 'map') return Object.fromEntries(text.split(',').map((pair) => { // a=1,b=2
    const cut = pair.indexOf('=')
    return cut < 0 ? [pair.trim(), ''] : [pair.slice(0, cut).trim(), pair.slice(cut + 1)]
  }))
  return text
}
