// Uploads files through what the service signs. A pause is no failure, and each file has its own sentence when it fails.
import {bytes, by, dropping, el, say} from './dom.js'
import {Refused, Stopped, send} from './s3.js'
import {ask, service} from './service.js'
import {begun, forget, remember} from './begun.js'

const large = 16 << 20 // bytes from which on a file goes in parts, where the choice is free: the service's size of a part
const filesAtOnce = 3, partsAtOnce = 4, attempts = 4

const methods = {
  auto: ['Automatic', ''],
  PutObject: ['PUT', 'One request for each file. What is paused begins again from its start.'],
  PostObject: ['POST form', 'A form, whose size and type S3 itself checks. What is paused begins again from its start.'],
  MultipartUpload: ['In parts', 'A pause loses only the parts that are on their way.'],
}

const waiting = []
const busy = new Set() // IDs of the uploads that this page is about
let running = 0

export function startUpload() {
  const can = ['PutObject', 'PostObject', 'MultipartUpload'].filter((o) => service.settings.operations?.includes(o) ?? true)
  const select = by('method')
  if (can.length === 0) {
    by('method-note').textContent = 'This service signs no uploads: the operator names PutObject, PostObject or MultipartUpload in PRESIGN_OPERATIONS.'
    for (const e of by('upload').querySelectorAll('input, select')) e.disabled = true
    return
  }
  methods.auto[1] = can.includes('MultipartUpload') && can.length > 1 ? `Files over ${bytes(large)} in parts, others by ${methods[can[0]][0]}.` : ''
  for (const m of can.length > 1 ? ['auto', ...can] : can) select.append(el('option', {value: m}, methods[m][0]))
  const note = () => {
    by('method-note').textContent = methods[select.value][1]
    by('create-only').disabled = select.value === 'PostObject'
  }
  select.addEventListener('change', note)
  note()
  const take = (files) => {
    for (const f of files) {
      let method = select.value
      if (method === 'auto') method = f.size > large && can.includes('MultipartUpload') ? 'MultipartUpload' : can[0]
      const prefix = by('upload-prefix').value
      const earlier = begun().find((b) => b.name === f.name && b.size === f.size && b.modified === f.lastModified
        && (prefix === '' || b.key === prefix + f.name) && !busy.has(b.upload_id))
      const u = earlier ? Upload.continuing(f, earlier) : new Upload(f, prefix + f.name, method, by('create-only').checked && method !== 'PostObject')
      by('uploads').prepend(u.element)
      u.queue()
    }
    unfinished()
  }
  by('address').addEventListener('input', unfinished)
  unfinished()
  by('files').addEventListener('change', (e) => { take([...e.target.files]); e.target.value = '' })
  dropping(by('upload-drop'), take)
  window.addEventListener('beforeunload', (e) => { if (running > 0) e.preventDefault() })
}

function next() {
  while (running < filesAtOnce && waiting.length > 0) {
    running++
    waiting.shift().run().finally(() => { running--; next() })
  }
}

// unfinished lists what an earlier visit began.
function unfinished() {
  const all = begun().filter((b) => !busy.has(b.upload_id))
  by('unfinished').hidden = all.length === 0
  by('begun').replaceChildren(...all.map((b) => {
    const told = el('p', {class: 'quiet', 'aria-live': 'polite'}, `Begun ${new Date(b.at).toLocaleString()}`)
    const gone = () => { forget(b.upload_id); unfinished(); by('files').focus() }
    const abort = el('button', {type: 'button', class: 'small', 'aria-label': `Abort ${b.key}`, onclick: async () => {
      try {
        const answer = await ask({operation: 'MultipartUpload', ...b.bucket && {bucket: b.bucket}, keys: [{key: b.key, size: b.size, part_size: b.part_size, upload_id: b.upload_id}]})
        const plan = answer.uploads?.[b.key]
        if (!plan) throw new Refused(answer.errors[b.key].message)
        await send({method: 'DELETE', url: plan.abort_url})
        gone()
        say(`${b.key}: aborted`)
      } catch (e) {
        if (e.code === 'NoSuchUpload') return gone()
        told.className = 'bad'
        told.textContent = e.detail ?? e.message
      }
    }}, 'Abort')
    return el('li', {class: 'card'}, el('div', {class: 'name'}, el('bdi', {dir: 'ltr'}, b.key), el('span', {class: 'quiet'}, `${b.name}, ${bytes(b.size)}`)), told,
      el('div', {class: 'uses'}, abort, el('button', {type: 'button', class: 'small', 'aria-label': `Forget ${b.key}`, onclick: gone}, 'Forget')))
  }))
}

class Upload {
  // continuing goes on with what an earlier visit began: its URLs are gone, its parts are not.
  static continuing(file, {key, create_only: createOnly, upload_id, part_size, bucket}) {
    const u = new Upload(file, key, 'MultipartUpload', createOnly)
    Object.assign(u, {plan: {upload_id, part_size}, ends: 0, bucket})
    busy.add(upload_id)
    return u
  }

  constructor(file, key, method, createOnly) {
    Object.assign(this, {file, key, method, createOnly, state: '', parts: new Map(), etags: {}})
    const button = (label, act) => el('button', {type: 'button', class: 'small', 'aria-label': `${label} ${key}`, onclick: () => act.call(this)}, label)
    this.buttons = {
      Pause: button('Pause', this.pause), Resume: button('Resume', this.queue), Retry: button('Retry', this.queue),
      Cancel: button('Cancel', this.cancel), Remove: button('Remove', this.remove),
    }
    this.bar = el('progress', {max: 1, value: 0, 'aria-label': `Progress of ${key}`})
    this.far = el('span', {class: 'quiet'})
    this.sentence = el('p', {class: 'quiet'})
    this.element = el('li', {class: 'card'}, el('div', {class: 'name'}, el('bdi', {dir: 'ltr'}, key), this.far), this.bar, this.sentence,
      el('div', {class: 'uses'}, ...Object.values(this.buttons)))
  }

  // to is the only place where the state changes.
  to(state, sentence, kind = 'quiet') {
    const held = Object.values(this.buttons).find((b) => b === document.activeElement)
    this.state = this.element.dataset.state = state
    this.sentence.className = kind
    this.sentence.textContent = sentence
    const has = {waiting: ['Pause', 'Cancel'], sending: ['Pause', 'Cancel'], paused: ['Resume', 'Cancel'], failed: ['Retry', 'Cancel'], done: ['Remove'], cancelled: ['Remove']}[state]
    for (const [name, b] of Object.entries(this.buttons)) b.hidden = !has.includes(name)
    if (held?.hidden) this.buttons[has[0]].focus() // the keyboard stays where it was
    if (['paused', 'failed', 'done'].includes(state)) say(`${this.key}: ${sentence}`)
  }

  progress() {
    let sent = 0
    for (const n of this.parts.values()) sent += n
    sent = this.state === 'done' ? this.file.size : Math.min(sent, this.file.size)
    this.bar.value = this.file.size ? sent / this.file.size : this.state === 'done' ? 1 : 0
    this.far.textContent = `${methods[this.method][0]}, ${this.state === 'done' ? bytes(this.file.size) : `${bytes(sent)} of ${bytes(this.file.size)}`}`
  }

  queue() {
    this.to('waiting', 'Waiting for its turn')
    this.progress()
    waiting.push(this)
    next()
  }

  pause() {
    const at = waiting.indexOf(this)
    if (at >= 0) waiting.splice(at, 1)
    this.stop?.abort()
    if (this.method !== 'MultipartUpload') this.parts.clear()
    else for (const n of this.parts.keys()) if (!this.etags[n]) this.parts.delete(n)
    this.to('paused', this.method === 'MultipartUpload' ? 'Paused' : 'Paused; it will begin again from its start')
    this.progress()
  }

  async cancel() {
    this.pause()
    this.to('cancelled', 'Cancelled')
    try {
      if (this.plan && !this.plan.abort_url) await this.resign()
      if (this.plan) await send({method: 'DELETE', url: this.plan.abort_url})
      this.over()
    } catch {
      this.to('cancelled', 'Cancelled. Its parts are still there, until a lifecycle rule of the bucket removes them.', 'warn')
    }
  }

  // over has nothing to go on with.
  over() {
    if (this.plan) forget(this.plan.upload_id)
    this.plan = null
  }

  remove() {
    (this.element.nextElementSibling?.querySelector('button:not([hidden])') ?? by('files')).focus()
    this.element.remove()
  }

  async run() {
    this.stop = new AbortController()
    const {signal} = this.stop
    this.to('sending', 'Sending')
    try {
      await this[this.method](signal)
      if (signal.aborted) return
      this.to('done', 'Uploaded', 'good')
      this.progress()
    } catch (e) {
      if (signal.aborted || e instanceof Stopped) return
      this.stop.abort() // the other parts
      if (this.method !== 'MultipartUpload') this.parts.clear()
      this.progress()
      this.to('failed', e.detail ? `The service says ${e.code}: ${e.detail}` : e.message, 'bad')
    }
  }

  // signed asks for this file alone.
  async signed(operation, options) {
    const answer = await ask({operation, ...this.bucket && {bucket: this.bucket}, keys: [{key: this.key, ...options}]})
    const error = answer.errors?.[this.key]
    if (error) throw new Refused(`The service does not sign it: ${error.code}: ${error.message}`, {code: error.code})
    return answer
  }

  type() { return this.file.type ? {content_type: this.file.type} : {} }

  once() { return this.createOnly ? {create_only: true} : {} }

  async PutObject(signal) {
    const answer = await this.signed('PutObject', {...this.type(), ...this.once()})
    await this.whole(signal, {method: 'PUT', url: answer.urls[this.key], headers: answer.item_headers?.[this.key] ?? answer.headers, body: this.file})
  }

  async PostObject(signal) {
    const answer = await this.signed('PostObject', {...this.type(), content_length_range: [this.file.size, this.file.size]})
    const post = answer.posts[this.key], form = new FormData()
    for (const [name, value] of Object.entries(post.fields)) form.append(name, value)
    form.append('file', this.file) // last: S3 reads no field behind it
    await this.whole(signal, {method: 'POST', url: post.url, body: form})
  }

  whole(signal, task) {
    return this.again(signal, () => send(task, {signal, progress: (n) => { this.parts.set(1, n); this.progress() }}))
  }

  // again tries what may pass, later each time.
  async again(signal, attempt) {
    for (let n = 1; ; n++) {
      try {
        return await attempt()
      } catch (e) {
        if (signal.aborted || !e.retry || n === attempts) throw e
        await new Promise((wake) => setTimeout(wake, 500 * 2 ** (n - 1)))
        if (signal.aborted) throw new Stopped()
      }
    }
  }

  async MultipartUpload(signal) {
    if (!this.plan) {
      const answer = await this.signed('MultipartUpload', {size: this.file.size, ...this.type(), ...this.once()})
      this.keep(answer)
      if (signal.aborted) return
    } else if (Date.now() > this.ends - 30_000) await this.resign() // paused for longer than its URLs lived
    const {part_count: total} = this.plan
    let missing = []
    for (let n = 1; n <= total; n++) if (!this.etags[n]) missing.push(n)
    const work = async () => {
      for (let n; (n = missing.shift()) && !signal.aborted;) await this.part(n, signal)
    }
    await Promise.all(Array.from({length: partsAtOnce}, work))
    if (signal.aborted) return
    this.sentence.textContent = 'Putting the parts together'
    const list = Array.from({length: total}, (_, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${this.etags[i + 1]}</ETag></Part>`).join('')
    await this.again(signal, () => send({method: 'POST', url: this.plan.complete_url, headers: {'content-type': 'application/xml', ...this.plan.complete_headers}, body: `<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`}, {signal, known: true}))
    this.over()
  }

  keep(answer) {
    this.plan = answer.uploads[this.key]
    this.ends = Date.parse(answer.expires_at)
    this.bucket = answer.bucket
    for (const [n, etag] of Object.entries(this.plan.uploaded_parts ?? {})) {
      this.etags[n] = etag
      this.parts.set(Number(n), Math.min(this.plan.part_size, this.file.size - (n - 1) * this.plan.part_size))
    }
    busy.add(this.plan.upload_id)
    remember({...this.plan, bucket: answer.bucket, key: this.key, create_only: this.createOnly}, this.file)
    this.progress()
  }

  // resign asks which parts S3 has, and for new URLs of the others.
  async resign() {
    try {
      this.keep(await this.signed('MultipartUpload', {size: this.file.size, upload_id: this.plan.upload_id, part_size: this.plan.part_size, resume: true, ...this.once()}))
    } catch (e) {
      if (e.code !== 'NoSuchUpload' && !/there is no such upload/.test(e.message)) throw e
      this.over()
      this.etags = {}
      this.parts.clear()
      throw new Refused('S3 does not know this upload any more: it was aborted or completed. Retry begins it anew.')
    }
  }

  async part(n, signal) {
    const size = this.plan.part_size, body = this.file.slice((n - 1) * size, n * size)
    const attempt = () => send({method: 'PUT', url: this.plan.part_urls[n], headers: this.plan.part_headers, body},
      {signal, known: Object.keys(this.etags).length > 0, progress: (sent) => { this.parts.set(n, sent); this.progress() }})
    let got
    try {
      got = await this.again(signal, attempt)
    } catch (e) {
      if (!e.expired || signal.aborted) throw e
      await (this.resigning ??= this.resign().finally(() => { this.resigning = null }))
      if (!this.etags[n]) got = await this.again(signal, attempt)
    }
    if (got && !got.headers.get('etag')) throw new Refused('S3 took a part and does not let this page read its ETag: the bucket\'s CORS rules must have ExposeHeaders: ETag (guardrails/cors.json is such a set of rules).')
    if (got) this.etags[n] = got.headers.get('etag')
    this.parts.set(n, body.size)
    this.progress()
  }
}
