// Where the service is. A mini program that is released needs https:// and a domain that is registered for wx.request.
module.exports = {
  service: 'http://127.0.0.1:8080',
  // The example backend against its emulated tenant: it plays WeChat, too.
  emulated: true,
};
