// The platform as the emulated tenant of the example backend plays it: for development, where WeChat's codes mean nothing.

function emulated(platform) {
  return Object.assign({}, platform, {
    // Who opens the mini program, and what they get if they have no account: `bind` or `register`.
    user: 'openid-newcomer',
    unbound: 'bind',
    mobile: '15201657312',

    async loginCode() {
      return (await platform.get('/dev/wx-code', { user: this.user, unbound: this.unbound })).code;
    },
    async phoneCode(detail) {
      const declined = (detail.errMsg || '').includes('deny');
      return declined ? undefined : (await platform.get('/dev/phone-code', { mobile: this.mobile })).code;
    },
  });
}

module.exports = { emulated };
