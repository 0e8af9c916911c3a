// Remembers uploads in parts that are under way, so that they go on after the page was closed: what S3 calls them, and how
// their file is known again. No URL, token or content is kept. Where the browser keeps nothing, nothing is remembered.
import {service} from './service.js'

const name = 'uploads', days = 7 // after which most buckets' lifecycle rules have removed the parts

function all() {
  try {
    return JSON.parse(localStorage.getItem(name) ?? '[]').filter((b) => Date.now() - b.at < days * 86_400_000)
  } catch {
    return []
  }
}

function store(list) {
  try {
    localStorage.setItem(name, JSON.stringify(list))
  } catch { /* it may not, or is full */ }
}

// begun are those of the service that the page asks now.
export const begun = () => all().filter((b) => b.service === service.address)

export function remember({upload_id, part_size, bucket, key, create_only}, {name, size, lastModified}) {
  const others = all().filter((b) => b.upload_id !== upload_id)
  store([...others, {upload_id, part_size, bucket, key, create_only, name, size, modified: lastModified, service: service.address, at: Date.now()}])
}

export const forget = (id) => store(all().filter((b) => b.upload_id !== id))
