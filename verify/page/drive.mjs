// Uses the page as people do, and says of each step whether it went as it should. Nothing printed has a URL.
import {createHash, randomBytes} from 'node:crypto'
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {createServer} from 'node:http'
import {createRequire} from 'node:module'
import {resolve} from 'node:path'

const task = JSON.parse(readFileSync(0))
const require = createRequire(resolve(task.modules) + '/')
const {chromium} = require('playwright-core')
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')

const browser = await chromium.launch({executablePath: task.chromium, args: ['--no-sandbox', '--disable-quic', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--no-first-run', '--disable-dev-shm-usage', '--lang=en-GB']})
process.on('SIGTERM', () => browser.close().finally(() => process.exit(1)))
const arabic = 'رسائل/رسالة إلى العالم.txt'
const files = {}
for (const [name, size] of [['one.bin', 1], ['mega.bin', 1_000_000], ['large.bin', 200_000_000], [arabic.split('/')[1], 11]]) {
  mkdirSync(`${task.scratch}/files`, {recursive: true})
  files[name] = {path: `${task.scratch}/files/${name}`, bytes: randomBytes(size)}
  writeFileSync(files[name].path, files[name].bytes)
}
const sum = (b) => createHash('sha256').update(b).digest('hex')

let passed = 0, failed = 0
const hide = (text) => String(text).replace(/\?X-Amz-\S*/g, '?...')
async function check(what, f) {
  try {
    await f()
    passed++
    console.log(`ok   ${what}`)
  } catch (e) {
    failed++
    console.log(`FAIL ${what}: ${hide(e.message ?? e).split('\n').slice(0, 4).join(' ')}`)
  }
}
const must = (condition, why) => { if (!condition) throw new Error(why) }

async function open(url, options = {}) {
  const context = await browser.newContext({viewport: {width: 1180, height: 900}, locale: 'en-GB', ...options})
  context.setDefaultTimeout(20_000)
  const p = await context.newPage()
  p.wrongs = []
  p.on('pageerror', (e) => p.wrongs.push(e.message))
  p.on('console', (m) => { if (/Content Security Policy|Trusted/.test(m.text())) p.wrongs.push('its policy refused something') })
  await p.goto(url)
  await p.waitForSelector('html[data-ready]')
  return p
}

async function sign(p, keys, operation) {
  await p.click('#tab-sign')
  if (operation) await p.selectOption('#operation', operation)
  await p.fill('#keys', keys.join('\n'))
  await p.click('#sign-form .first')
}
const answered = (p, title) => p.waitForFunction((t) => !document.getElementById('answer').hidden && document.getElementById('answer-title').textContent === t, title)
const tested = async (p, key, text) => {
  await p.click(`[aria-label="Test the URL of ${key}"]`)
  await p.locator('tr', {has: p.locator(`[aria-label="Test the URL of ${key}"]`)}).getByText(text).waitFor()
}
const entry = (p, key) => p.locator('#uploads > li', {hasText: key}).first()
const reach = (p, key, state, timeout = 120_000) => p.waitForFunction(([k, s]) =>
  [...document.querySelectorAll('#uploads > li')].find((li) => li.querySelector('bdi').textContent === k)?.dataset.state === s, [key, state], {timeout})
async function upload(p, method, prefix, names) {
  await p.click('#tab-upload')
  await p.selectOption('#method', method)
  await p.fill('#upload-prefix', prefix)
  await p.setInputFiles('#files', names.map((n) => files[n].path))
}

// stored asks the service, as any client, and compares what lies there.
async function stored(service, key, name) {
  const answer = await (await fetch(service, {method: 'POST', body: JSON.stringify({keys: [key]})})).json()
  const got = await fetch(answer.urls[key])
  must(got.ok, `HTTP ${got.status}`)
  must(sum(Buffer.from(await got.arrayBuffer())) === sum(files[name].bytes), 'other bytes than were sent')
}

async function accessible(p, where) {
  await p.evaluate(() => new Promise((done) => setTimeout(done, 400))) // transitions end
  await p.evaluate(axe)
  const {violations} = await p.evaluate(() => window.axe.run(document, {resultTypes: ['violations']}))
  must(violations.length === 0, violations.map((v) => `${where}: ${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`).join('; '))
}

// A file in parts, paused in its middle. Parts that had arrived are not sent again.
async function pausedAndResumed(p, service, prefix) {
  const cdp = await p.context().newCDPSession(p)
  const slow = (bytes) => cdp.send('Network.emulateNetworkConditions', {offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: bytes})
  await cdp.send('Network.enable')
  const done = []
  p.on('requestfinished', (r) => { const n = r.method() === 'PUT' && new URL(r.url()).searchParams.get('partNumber'); if (n) done.push(n) })
  await slow(30_000_000)
  const key = prefix + 'large.bin'
  await upload(p, 'MultipartUpload', prefix, ['large.bin'])
  await p.waitForFunction((k) => [...document.querySelectorAll('#uploads > li')].find((li) => li.querySelector('bdi').textContent === k)?.querySelector('progress').value > 0.4, key, {timeout: 60_000})
  await p.click(`[aria-label="Pause ${key}"]`)
  await reach(p, key, 'paused')
  must(await p.evaluate((k) => document.activeElement.getAttribute('aria-label') === `Resume ${k}`, key), 'the focus was lost')
  const before = done.length
  await p.waitForTimeout(500)
  must(done.length <= before && before > 0, `${before} parts had arrived, then ${done.length}`)
  await slow(-1)
  await p.click(`[aria-label="Resume ${key}"]`)
  await reach(p, key, 'done')
  must(new Set(done).size === 12 && done.length === 12, `${done.length} parts were sent whole, of 12`)
  await stored(service, key, 'large.bin')
}

async function uploads(p, service, method, name) {
  const prefix = `${method}/`
  await upload(p, method, prefix, ['one.bin', 'mega.bin'])
  for (const f of ['one.bin', 'mega.bin']) {
    await reach(p, prefix + f, 'done')
    await stored(service, prefix + f, f)
  }
}

// A page that is closed, and one in its place: the same file goes on with the parts that S3 has.
async function closedAndResumed(open, service, prefix) {
  const key = prefix + 'large.bin', context = await browser.newContext({viewport: {width: 1180, height: 900}, locale: 'en-GB'})
  const visit = async () => {
    const p = await context.newPage()
    p.setDefaultTimeout(20_000)
    await p.goto(open)
    await p.waitForSelector('html[data-ready]')
    await p.click('#tab-upload')
    return p
  }
  const first = await visit()
  const cdp = await context.newCDPSession(first)
  await cdp.send('Network.enable')
  await cdp.send('Network.emulateNetworkConditions', {offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 30_000_000})
  await upload(first, 'MultipartUpload', prefix, ['large.bin'])
  await first.waitForFunction((k) => [...document.querySelectorAll('#uploads > li')].find((li) => li.querySelector('bdi').textContent === k)?.querySelector('progress').value > 0.4, key, {timeout: 60_000})
  let asked = false
  first.on('dialog', (d) => { asked = true; d.accept() })
  await first.close({runBeforeUnload: true})
  await new Promise((done) => first.isClosed() ? done() : first.once('close', done))
  must(asked, 'the browser did not ask before it left')

  const kept = await visit()
  must(!/X-Amz|http:\/\/127\.0\.0\.1:\d+\/photos/.test(await kept.evaluate(() => localStorage.getItem('uploads'))), 'a URL is kept')
  await kept.locator('#begun > li', {hasText: key}).waitFor()
  await accessible(kept, 'what is not finished')
  const done = []
  kept.on('requestfinished', (r) => { const n = r.method() === 'PUT' && new URL(r.url()).searchParams.get('partNumber'); if (n) done.push(n) })
  await upload(kept, 'PutObject', '', ['large.bin']) // how, and under which key, was said when it was begun
  await reach(kept, key, 'done')
  must(done.length > 0 && done.length < 10, `${done.length} parts were sent, of 12`)
  must(await kept.locator('#unfinished').isHidden(), 'it is still told of')
  await stored(service, key, 'large.bin')

  await upload(kept, 'MultipartUpload', prefix + 'aborted/', ['mega.bin'])
  await reach(kept, prefix + 'aborted/mega.bin', 'done')
  must(await kept.evaluate(() => localStorage.getItem('uploads')) === '[]', 'something is kept of what is done')
  // One that S3 has forgotten.
  await kept.evaluate(([s, k, f]) => localStorage.setItem('uploads', JSON.stringify([{upload_id: 'GONE', part_size: 16777216, key: k, name: 'large.bin', size: f, modified: 1, service: s, at: Date.now()}])), [service, prefix + 'gone.bin', 200_000_000])
  await kept.close()
  const last = await visit()
  await last.click(`[aria-label="Abort ${prefix}gone.bin"]`)
  await last.locator('#unfinished').waitFor({state: 'hidden'})
  await context.close()
}

async function picture(p, name) {
  await p.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0) })
  await p.mouse.move(0, 0)
  await p.screenshot({path: `${task.pictures}/${name}.png`, fullPage: true})
}

// halfway leaves a large file paused, for a picture.
async function halfway(p, prefix) {
  const cdp = await p.context().newCDPSession(p)
  await cdp.send('Network.enable')
  await cdp.send('Network.emulateNetworkConditions', {offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 30_000_000})
  await upload(p, 'MultipartUpload', prefix, ['large.bin'])
  const key = prefix + 'large.bin'
  await p.waitForFunction((k) => [...document.querySelectorAll('#uploads > li')].find((li) => li.querySelector('bdi').textContent === k)?.querySelector('progress').value > 0.5, key, {timeout: 60_000})
  await p.click(`[aria-label="Pause ${key}"]`)
  await reach(p, key, 'paused')
}

// What make local serves.
{
  const service = `${task.local}/presign`
  const p = await open(task.local + '/')
  await check('make local: sign and download', async () => {
    await sign(p, ['hello world.txt', '2026/05/star.svg', '../x', '/slash', 'away.jpg'])
    await answered(p, '4 URLs signed, 1 key not')
    await p.getByText('UnsafeKey').waitFor()
    await p.getByText('Warning: the key begins with a slash').waitFor()
    must(/^1[45]:\d\d left$/.test(await p.textContent('#left')), 'no time is left')
    await tested(p, 'hello world.txt', 'Works: 28 bytes')
    await tested(p, 'away.jpg', 'There is no such object.')
    const [tab] = await Promise.all([p.context().waitForEvent('page'), p.click('[aria-label="Open hello world.txt in a new tab"]')])
    must((await tab.textContent('body')).includes('Hello from the stand-in S3'), 'not the object')
    await tab.close()
    must(!/X-Amz-Signature=/.test(await p.evaluate(() => document.body.innerText)), 'a signature can be read')
  })
  await check('make local: an answer as CSV, aria2 and curl', async () => {
    for (const [format, has] of [['csv', 'key,url,error\r\nhello world.txt,http'], ['aria2', 'out=hello world.txt'], ['curl', 'output = "hello world.txt"']]) {
      const [d] = await Promise.all([p.waitForEvent('download'), p.click(`[data-format=${format}]`)])
      must(readFileSync(await d.path(), 'utf8').includes(has), `${format} lacks its line`)
    }
  })
  await check('make local: problems, with what to do', async () => {
    await p.selectOption('#unit', '86400')
    await p.click('#sign-form .first')
    await p.locator('#sign-problem').getByText('ExpiryTooLong').waitFor()
    await p.locator('#sign-problem').getByText('What to do: ask for a shorter time.').waitFor()
    must(await p.locator('#answer').isHidden(), 'an old answer is still shown')
    await p.selectOption('#unit', '60')
    await p.click('#add-option')
    await p.keyboard.type('contenttype')
    await p.click('#sign-form .first')
    await p.locator('#sign-problem').getByText(/did you mean/).waitFor()
    await p.click('.option button')
  })
  await check('make local: a URL that has expired, and the doctor', async () => {
    await p.fill('#expiry', '1')
    await p.selectOption('#unit', '1')
    await sign(p, ['hello world.txt'])
    await answered(p, '1 URL signed')
    await p.getByText('Ended: sign again').waitFor()
    await p.locator('td.left.bad', {hasText: 'ended'}).waitFor()
    await p.waitForTimeout(1200)
    await tested(p, 'hello world.txt', 'The URL has expired. Sign again.')
    await p.click('text=Ask the doctor')
    await p.locator('#report').getByText(/The URL has expired/).waitFor()
    await p.click('#tab-sign')
  })
  await check('make local: each row counts down, and is signed again alone', async () => {
    await p.fill('#expiry', '4')
    await sign(p, ['hello world.txt', '2026/05/star.svg', '../x'])
    await answered(p, '2 URLs signed, 1 key not')
    must(/^0:0[1-4]$/.test(await p.locator('td.left').first().textContent()), 'the row has no time left')
    must(await p.locator('td.left').last().textContent() === '–', 'a key without a URL has time left')
    must(await p.locator('[aria-label="Sign hello world.txt again"]').isHidden(), 'it can be signed again before it has ended')
    await p.getByText('Ended: sign again').waitFor()
    await p.click('[aria-label="Sign hello world.txt again"]')
    await tested(p, 'hello world.txt', 'Works: 28 bytes')
    const rows = await p.locator('td.left').allTextContents()
    must(/^0:0\d$/.test(rows[0]) && rows[1] === 'ended' && rows[2] === '–', rows.join(' '))
    await p.fill('#expiry', '15')
    await p.selectOption('#unit', '60')
  })
  await check('make local: 50,000 keys of a dropped list', async () => {
    await p.click('#tab-sign')
    await p.fill('#keys', '')
    const text = 'key,note\n' + Array.from({length: 50_000}, (_, i) => `2026/"é" ${i}.jpg`).map((k) => `"${k.replaceAll('"', '""')}",x\n`).join('')
    const data = await p.evaluateHandle((t) => { const d = new DataTransfer(); d.items.add(new File([t], 'keys.csv')); return d }, text)
    await p.dispatchEvent('#sign-drop', 'drop', {dataTransfer: data})
    await p.locator('#keys-note').getByText('50,000 keys of keys.csv, read as CSV').waitFor()
    await p.evaluate(() => { window.longest = 0; let last = performance.now(); setInterval(() => { const now = performance.now(); window.longest = Math.max(window.longest, now - last); last = now }, 20) })
    await p.click('#sign-form .first')
    await answered(p, '50,000 URLs signed')
    must(await p.locator('#rows > tr').count() === 200, 'not 200 rows')
    await p.getByText('The first 200 of 50,000 rows.').waitFor()
    await p.fill('#filter', ' 49999.jpg')
    await p.getByText('1 row that match').waitFor()
    console.log(`     the page stood still for ${Math.round(await p.evaluate(() => window.longest))} ms at most`)
    await p.click('#list-away')
  })
  await check('make local: 1 byte and 1 MB by PUT', () => uploads(p, service, 'PutObject'))
  await check('make local: 1 byte and 1 MB by form', () => uploads(p, service, 'PostObject'))
  await check('make local: 200 MB in parts, paused and resumed', () => pausedAndResumed(p, service, 'film/'))
  await check('make local: 200 MB in parts, the page closed in its middle', () => closedAndResumed(task.local + '/', service, 'closed/'))
  await check('make local: a key in Arabic, up and down', async () => {
    const [folder, name] = arabic.split('/')
    await upload(p, 'PutObject', folder + '/', [name])
    await reach(p, arabic, 'done')
    await stored(service, arabic, name)
    await sign(p, [arabic])
    await answered(p, '1 URL signed')
    await tested(p, arabic, 'Works: 11 bytes')
  })
  await check('make local: no script failed, and the policy refused nothing', () => must(p.wrongs.length === 0, p.wrongs.join('; ')))
  await p.context().close()

  // The page of docs/how-to/browser-uploads.md, with what its server would answer.
  await check('examples/portal: a picture is sent; what is larger or no picture is refused, and it says so', async () => {
    const key = {key: 'portal/inbox/', key_starts_with: true, content_type_starts_with: 'image/'}
    const server = createServer(async (request, response) => {
      if (request.url !== '/form') return response.setHeader('content-type', 'text/html').end(readFileSync('examples/portal/upload.html'))
      const answer = await (await fetch(service, {method: 'POST', body: JSON.stringify({operation: 'PostObject', keys: [key], content_length_range: [1, 1_000_000]})})).json()
      response.end(JSON.stringify(answer.posts[key.key]))
    })
    await new Promise((ready) => server.listen(0, '127.0.0.1', ready))
    const e = await (await browser.newContext()).newPage()
    e.setDefaultTimeout(20_000)
    await e.goto(`http://127.0.0.1:${server.address().port}/upload`)
    for (const [name, mimeType, size, said] of [['a b.gif', 'image/gif', 1000, 'It is there.'], ['large.gif', 'image/gif', 1_000_001, 'It is larger than 1 MB.'], ['page.html', 'text/html', 10, 'It is no picture, or it took too long.']]) {
      files[name] = {bytes: randomBytes(size)}
      await e.setInputFiles('#file', {name, mimeType, buffer: files[name].bytes})
      await e.click('button')
      await e.getByText(said).waitFor()
    }
    await stored(service, 'portal/inbox/a b.gif', 'a b.gif')
    await e.context().close()
    server.close()
  })
  await check('make local: by keyboard alone', async () => {
    const k = await open(task.local + '/')
    const until = async (what) => {
      for (let i = 0; i < 40; i++) {
        if (await k.evaluate((s) => document.activeElement.matches(s), what)) return
        await k.keyboard.press('Tab')
      }
      throw new Error(`Tab does not reach ${what}`)
    }
    await until('#tab-sign')
    await until('#keys')
    await k.keyboard.type('hello world.txt')
    await until('#sign-form .first')
    await k.keyboard.press('Enter')
    await answered(k, '1 URL signed')
    await until('[aria-label="Test the URL of hello world.txt"]')
    await k.keyboard.press('Space')
    await k.getByText('Works: 28 bytes').waitFor()
    await k.keyboard.press('Control+Home')
    await k.evaluate(() => document.activeElement.blur())
    await until('#tab-sign')
    await k.keyboard.press('ArrowRight')
    must(await k.evaluate(() => document.activeElement.id === 'tab-upload' && !document.getElementById('upload').hidden), 'the arrow does not change the tab')
    await until('#files')
    await k.keyboard.press('Shift+Tab')
    await until('#tab-upload')
    await k.keyboard.press('End')
    await until('#sick')
    await k.keyboard.type('https://photos.s3.eu-west-1.amazonaws.com/a')
    await until('#doctor-form .first')
    await k.keyboard.press('Enter')
    await k.locator('#report').getByText(/There is no query/).waitFor()
    must(await k.evaluate(() => document.activeElement.id === 'report'), 'the report is not where the keyboard is')
    await k.context().close()
  })
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [1180, 360]) {
      await check(`make local: axe finds nothing, ${colorScheme}, ${width} pixels wide`, async () => {
        const a = await open(task.local + '/', {colorScheme, viewport: {width, height: 840}, deviceScaleFactor: 1})
        await sign(a, ['hello world.txt', '2026/05/star.svg', arabic, '../x', '/slash', 'away.jpg'], 'GetObject')
        await answered(a, '5 URLs signed, 1 key not')
        await tested(a, 'hello world.txt', 'Works')
        await tested(a, 'away.jpg', 'There is no such object.')
        await accessible(a, 'sign')
        if (task.pictures && width > 1000) await picture(a, `page-${colorScheme}`)
        must(await a.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'it is wider than the screen')
        await a.click('#add-option')
        await a.fill('#bucket', 'other')
        await a.click('#sign-form .first')
        await a.locator('#sign-problem').getByText('BucketNotAllowed').waitFor()
        await accessible(a, 'a problem')
        await upload(a, 'PutObject', `${colorScheme}${width}/`, ['one.bin'])
        await reach(a, `${colorScheme}${width}/one.bin`, 'done')
        await accessible(a, 'upload')
        if (task.pictures && width > 1000) {
          await halfway(a, `${colorScheme}/`)
          await picture(a, `page-upload-${colorScheme}`)
          await a.click(`[aria-label="Cancel ${colorScheme}/large.bin"]`)
        }
        must(await a.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the uploads are wider than the screen')
        await a.click('#tab-doctor')
        await a.fill('#sick', 'https://photos.s3.eu-west-1.amazonaws.com/a?X-Amz-Algorithm=AWS4-HMAC-SHA256&amp;X-Amz-Date=20240101T000000Z&X-Amz-Expires=900')
        await a.click('#doctor-form .first')
        await a.waitForSelector('#report h3')
        await accessible(a, 'doctor')
        if (task.pictures && width > 1000) await picture(a, `page-doctor-${colorScheme}`)
        await a.context().close()
      })
    }
  }
}

// Versity's gateway, with the CORS rules of guardrails/cors.json for the page beside the service.
{
  const p = await open(task.beside + '/')
  for (const [method, name] of [['PutObject', 'PUT'], ['PostObject', 'form']]) {
    await check(`gateway: 1 byte and 1 MB by ${name}`, () => uploads(p, task.service, method))
  }
  await check('gateway: 200 MB in parts, paused and resumed', () => pausedAndResumed(p, task.service, 'film/'))
  await check('gateway: a key in Arabic, up and down', async () => {
    const [folder, name] = arabic.split('/')
    await upload(p, 'PostObject', folder + '/', [name])
    await reach(p, arabic, 'done')
    await stored(task.service, arabic, name)
    await sign(p, [arabic])
    await answered(p, '1 URL signed')
    await tested(p, arabic, 'Works: 11 bytes')
  })
  await check('gateway: an object that is there is not overwritten, and the file says so', async () => {
    await p.click('#tab-upload')
    await p.selectOption('#method', 'PutObject')
    await p.check('#create-only')
    await upload(p, 'PutObject', 'PutObject/', ['one.bin'])
    await reach(p, 'PutObject/one.bin', 'failed')
    await entry(p, 'PutObject/one.bin').getByText('There is an object with this key already, and it is not overwritten.').waitFor()
    await p.uncheck('#create-only')
  })
  await check('gateway: no script failed, and the policy refused nothing', () => must(p.wrongs.length === 0, p.wrongs.join('; ')))
  await p.context().close()

  const s = await open(task.static + '/')
  await check('static host: signs at a service elsewhere, with a body in gzip', async () => {
    must(await s.locator('#tab-doctor').isHidden(), 'there is a doctor')
    must(await s.getAttribute('#service', 'open') !== null, 'it does not ask for an address')
    await s.fill('#address', task.service)
    const encodings = []
    s.on('request', (r) => encodings.push(r.method() === 'POST' && r.headers()['content-encoding']))
    await s.setInputFiles('#list-file', {name: 'keys.txt', mimeType: 'text/plain', buffer: Buffer.from(Array.from({length: 10_000}, (_, i) => `key ${i}\n`).join(''))})
    await s.locator('#keys-note').getByText('10,000 keys').waitFor()
    await s.selectOption('#operation', 'GetObject')
    await s.click('#sign-form .first')
    await answered(s, '10,000 URLs signed')
    must(encodings.includes('gzip'), 'it was not compressed')
  })
  await check('static host: a problem of a service elsewhere can be read', async () => {
    await s.fill('#bucket', 'other')
    await s.click('#sign-form .first')
    await s.locator('#sign-problem').getByText('BucketNotAllowed').waitFor()
    await s.fill('#bucket', '')
  })
  await check('static host: an origin that the bucket does not name is told so', async () => {
    await upload(s, 'PutObject', 'refused/', ['one.bin'])
    await reach(s, 'refused/one.bin', 'failed')
    const sentence = await entry(s, 'refused/one.bin').locator('p').textContent()
    must(sentence.includes('its CORS rules must name the origin ' + task.static), sentence)
    await upload(s, 'MultipartUpload', 'refused/', ['mega.bin'])
    await reach(s, 'refused/mega.bin', 'failed')
    must((await entry(s, 'refused/mega.bin').locator('p').textContent()).includes('CORS rules'), 'no sentence')
  })
  await s.context().close()

  await check('static host: an origin that the service does not name is told so', async () => {
    const other = await open(task.static.replace('127.0.0.1', 'localhost') + '/')
    await other.fill('#address', task.service)
    await sign(other, ['a'], 'GetObject')
    await other.locator('#sign-problem').getByText(/lets pages of http:\/\/localhost:\d+ call/).waitFor()
    await other.context().close()
  })
}

const version = browser.version()
await browser.close()
console.log(`page: ${passed}/${passed + failed} checks as they should be, in Chromium ${version.split('.')[0]}`)
process.exit(failed ? 1 : 0)
