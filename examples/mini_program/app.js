const config = require('./config');
const { emulated } = require('./utils/emulated');
const { wechat } = require('./utils/wechat');

App({
  onLaunch() {
    const platform = wechat(wx, config.service);
    this.platform = config.emulated ? emulated(platform) : platform;
  },
});
