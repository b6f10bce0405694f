// npm's @openfeature/ofrep-provider. What the server can't say would be on here: its code's default is true.
const { installed, serve, settings } = require('./talk.cjs')
const { OpenFeature } = installed('@openfeature/server-sdk')
const { OFREPProvider } = installed('@openfeature/ofrep-provider')

const main = async () => {
  const headers = [['Authorization', `Bearer ${settings.key}`]]
  await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: settings.url, headers }))
  const client = OpenFeature.getClient()
  let context = {}
  await serve(
    (tenant) => { context = { targetingKey: tenant } },
    async (flag) => {
      const details = await client.getBooleanDetails(flag, true, context)
      if (details.errorCode) throw new Error(`${flag}: ${details.errorCode} ${details.errorMessage}`)
      return details.value
    },
  )
}
main()
