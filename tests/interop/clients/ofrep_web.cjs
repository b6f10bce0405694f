// npm's @openfeature/ofrep-web-provider, as a page has it: all flags at once, and again when the stream says so.
const { installed, serve, settings } = require('./talk.cjs')
const { OpenFeature } = installed('@openfeature/web-sdk')
const { OFREPWebProvider } = installed('@openfeature/ofrep-web-provider')

const main = async () => {
  const headers = [['Authorization', `Bearer ${settings.key}`]]
  await OpenFeature.setContext({ targetingKey: settings.tenant })
  const provider = new OFREPWebProvider({ baseUrl: settings.url, headers, pollInterval: 0, cacheMode: 'disabled' })
  await OpenFeature.setProviderAndWait(provider)
  const client = OpenFeature.getClient()
  await serve(
    (tenant) => OpenFeature.setContext({ targetingKey: tenant }),
    (flag) => {
      const details = client.getBooleanDetails(flag, true)
      if (details.errorCode) throw new Error(`${flag}: ${details.errorCode} ${details.errorMessage}`)
      return details.value
    },
  )
}
main()
