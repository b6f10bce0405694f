// npm's unleash-client, polling or streaming.
const { installed, serve, settings } = require('./talk.cjs')
const { initialize } = installed('unleash-client')
const { tmpdir } = require('node:os')
const { mkdtempSync } = require('node:fs')

const client = initialize({
  url: `${settings.url}/api/`,
  appName: 'billing',
  refreshInterval: 1000,
  metricsInterval: settings.metrics_seconds * 1000,
  backupPath: mkdtempSync(`${tmpdir()}/unleash-`),
  customHeaders: { Authorization: settings.key },
  experimentalMode: { type: settings.mode },
})
client.on('error', (error) => console.error(error))
client.on('warn', (warning) => console.error(warning))
client.once('ready', () => {
  let context = {}
  serve(
    (tenant) => { context = { properties: { tenantId: tenant } } },
    (flag) => client.isEnabled(flag, context),
  )
})
