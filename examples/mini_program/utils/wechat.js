// What a login needs of WeChat. `wx` is a parameter, so that a test can give its own.

// Longer than the service may wait for the tenant: call_timeout, 30 seconds by default.
const TIMEOUT = 45 * 1000;
const NO_RESPONSE = { error: { what: 'no_response' } };

function wechat(wx, service) {
  // Most of its functions give a promise by themselves, but not in every version.
  const ask = (name, input) =>
    new Promise((resolve, reject) => wx[name](Object.assign({}, input, { success: resolve, fail: reject })));

  // What the handles are bound to: random, made once, and sent with each request.
  async function deviceId() {
    let id = wx.getStorageSync('device-id');
    if (!id) {
      const { randomValues } = await ask('getRandomValues', { length: 32 });
      id = Array.from(new Uint8Array(randomValues), (byte) => byte.toString(16).padStart(2, '0')).join('');
      wx.setStorageSync('device-id', id);
    }
    return id;
  }

  async function headers() {
    return {
      'X-Device-Id': await deviceId(),
      'X-Device-System': wx.getDeviceInfo().system,
      'Accept-Language': wx.getAppBaseInfo().language.replace('_', '-'),
    };
  }

  async function request(method, path, data) {
    try {
      const header = await headers();
      const response = await ask('request', { url: service + path, method, header, data, timeout: TIMEOUT });
      // A proxy's error page is no response of the service.
      return typeof response.data === 'object' && response.data ? response.data : NO_RESPONSE;
    } catch (failed) {
      return NO_RESPONSE;
    }
  }

  return {
    language: wx.getAppBaseInfo().language.startsWith('zh') ? 'zh' : 'en',
    get: (path, query) => request('GET', path, query),
    post: (path, input) => request('POST', path, input),
    // It works once, and for five minutes.
    loginCode: async () => (await ask('login')).code,
    // What the phone button gave: nothing if the user declined.
    phoneCode: async (detail) => detail.code,
  };
}

module.exports = { wechat };
