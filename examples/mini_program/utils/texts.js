// What the user reads, in English and Chinese. What stands behind the first line is JSON.
module.exports = {
  "problems": {
    "ask_again": ["Please check what you entered.", "请检查输入的内容。"],
    "fresh_platform_code": ["Please tap the button again.", "请重新点击按钮。"],
    "new_captcha": ["Please move the piece again.", "请重新拖动滑块完成拼图。"],
    "choose_another_method": ["Please choose another method.", "请选择其他方式。"],
    "wait": ["Too many attempts. Please wait.", "尝试次数过多，请稍候。"],
    "try_later": ["Please try again in a moment.", "请稍后再试。"],
    "renew_id_token": ["You are logged in. Your name could not be loaded.", "已登录，但无法加载您的信息。"],
    "settle": ["The connection was lost. Please log in again.", "连接中断，请重新登录。"],
    "start_over": ["Please log in again.", "请重新登录。"],
    "tell_operator": ["Logging in does not work just now. We are on it.", "暂时无法登录，我们正在处理。"]
  },
  "own": {
    "bad_request": ["Please update the mini program.", "请更新小程序。"],
    "wrong_stage": ["Please go on from here.", "请从这里继续。"],
    "no_response": ["No connection. Please try again.", "网络不可用，请重试。"],
    "number_declined": ["No number was shared. Please choose another method.", "未授权手机号，请选择其他方式。"]
  },
  "stages": {
    "unauthenticated": ["Log in", "登录"],
    "pending_bind": ["Bind your account", "绑定账号"],
    "pending_register": ["Bind or register an account", "绑定或注册账号"],
    "mfa_required": ["Confirm that it is you", "二次验证"],
    "password_expiring": ["Your password expires soon", "密码即将过期"],
    "password_expired": ["Your password has expired", "密码已过期"],
    "verify_phone": ["Code by SMS", "短信验证码"],
    "verify_email": ["Code by e-mail", "邮件验证码"],
    "registration": ["Register an account", "注册账号"],
    "password_reset": ["Forgotten password", "忘记密码"],
    "unresolved": ["The connection was lost", "连接中断"],
    "authenticated": ["You are logged in", "已登录"]
  },
  "ways": {
    "password": ["Password", "密码"],
    "phone": ["SMS", "短信"],
    "email": ["E-mail", "邮箱"],
    "register": ["Register", "注册"],
    "reset_password": ["Forgotten password", "忘记密码"],
    "change_password": ["Change the password", "修改密码"],
    "keep_password": ["Not now", "暂不修改"],
    "attributes": ["Change my details", "修改注册信息"]
  },
  "fields": {
    "user_name": ["User name", "用户名"],
    "password": ["Password", "密码"],
    "old_password": ["Old password", "旧密码"],
    "new_password": ["New password", "新密码"],
    "phone": ["Mobile number", "手机号"],
    "email": ["E-mail address", "邮箱地址"],
    "name": ["Name", "姓名"],
    "code": ["Code", "验证码"]
  },
  "buttons": {
    "wechat": ["Log in with WeChat", "微信登录"],
    "number": ["Use my WeChat number", "使用微信手机号"],
    "go_on": ["Continue", "继续"],
    "captcha": ["Send a code", "获取验证码"],
    "again": ["Send another code", "重新获取验证码"],
    "back": ["Back", "返回"],
    "begin_again": ["Log in again", "重新登录"],
    "retry_anyway": ["Try that step again", "仍然重试"],
    "logout": ["Log out", "退出登录"]
  },
  "notes": {
    "registered_number": ["Empty: the number of your account", "留空则使用账号的手机号"],
    "puzzle": ["Move the piece into the gap", "拖动滑块，将拼图移到缺口处"],
    "sent_to": ["The code goes to", "验证码将发送到"],
    "characters": ["Characters:", "密码长度："],
    "seconds": ["Seconds to wait:", "等待秒数："],
    "password_reset": ["The password is changed. Log in with the new one.", "密码已重置，请用新密码登录。"]
  }
};
