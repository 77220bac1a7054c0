//! An emulated tenant in this process, and what a browser needs in the place of WeChat, a phone and a mailbox.
//!
//! | `GET` | gives |
//! |---|---|
//! | `/dev/people` | the accounts that there are |
//! | `/dev/wx-code?user=&unbound=` | a code as `wx.login` gives it; `unbound` says what an identity without account gets: `bind` or `register` |
//! | `/dev/phone-code?mobile=` | a code as the button `getPhoneNumber` gives it |
//! | `/dev/last-code?to=` | the last verification code that was sent there |
//! | `/dev/captcha-x?token=` | where the piece of a captcha fits |
//! | `/dev/lose-answer` | loses the answer to the next bind by password |

use idaas_login::emulator::{Emulator, EmulatorServer, Fault, Unbound, User};
use idaas_login::endpoints::{self, Platform};
use idaas_login::{ClientBuilder, Edition};
use serde_json::{Value, json};

pub struct Dev(EmulatorServer);

impl Dev {
    pub fn start(edition: Edition) -> std::io::Result<Self> {
        let tenant = Emulator::new();
        tenant.configure(|settings| settings.edition = edition);
        tenant.add_user(User::new("lilei").name("Li Lei").mobile("13700137000"));
        tenant.bind(Platform::WeChatMiniProgram, "openid-lilei", "lilei");
        let han = User::new("hanmeimei").name("Han Meimei").password("correct horse");
        tenant.add_user(han.mobile("15201657312").email("hanmeimei@example.com"));
        let chen = User::new("chenjie").name("Chen Jie").password("battery staple").second_factor();
        tenant.add_user(chen.mobile("13800138000").email("chenjie@example.com"));
        tenant.bind(Platform::WeChatMiniProgram, "openid-chenjie", "chenjie");
        tenant.add_user(User::new("zhouyang").name("Zhou Yang").denied());
        tenant.bind(Platform::WeChatMiniProgram, "openid-zhouyang", "zhouyang");
        tenant.start().map(Self)
    }

    pub fn client_builder(&self) -> ClientBuilder {
        self.0.client_builder()
    }

    pub fn answer(&self, path: &str, query: &str) -> Option<Value> {
        let tenant = self.0.emulator();
        let given = |name: &str| {
            query.split('&').find_map(|pair| Some(decoded(pair.strip_prefix(name)?.strip_prefix('=')?)))
        };
        Some(match path {
            "/dev/people" => json!([
                { "name": "Li Lei", "openid": "openid-lilei", "about": "bound" },
                { "name": "Chen Jie", "openid": "openid-chenjie", "about": "bound, asked for a second factor" },
                { "name": "Zhou Yang", "openid": "openid-zhouyang", "about": "bound, denied by policy" },
            ]),
            "/dev/wx-code" => {
                let unbound = match given("unbound").as_deref() {
                    Some("register") => Unbound::Register,
                    _ => Unbound::Bind,
                };
                tenant.configure(|settings| settings.unbound = unbound);
                json!({ "code": tenant.wechat_login_code(given("user")?) })
            }
            "/dev/phone-code" => json!({ "code": tenant.wechat_phone_code(given("mobile")?) }),
            "/dev/last-code" => json!({ "code": tenant.last_code(&given("to")?) }),
            "/dev/captcha-x" => json!({ "x": tenant.captcha_solution(&given("token")?) }),
            "/dev/lose-answer" => {
                tenant.fail_next(endpoints::BIND_USERNAME_PASSWORD.path, Fault::LoseAnswer);
                json!({})
            }
            _ => return None,
        })
    }
}

/// A value of a query, as the browser's `encodeURIComponent` wrote it.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        if let (b'%', Some(byte)) = (first, escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub fn how_to_try(address: &str) -> String {
    format!(
        r#"
In a browser: {address}/

With curl:
  B={address}
  value() {{ sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }}
  call() {{ curl -s "$B$1" -H 'X-Device-Id: my-phone' -d "$2"; echo; }}

  # Li Lei is bound: his login ends at once.
  CODE=$(curl -s "$B/dev/wx-code?user=openid-lilei" | value code)
  HANDLE=$(call /api/login "{{\"code\":\"$CODE\"}}" | value handle)
  call /api/me "{{\"handle\":\"$HANDLE\"}}"

  # A newcomer has an account to bind: the first password is wrong.
  CODE=$(curl -s "$B/dev/wx-code?user=openid-newcomer" | value code)
  HANDLE=$(call /api/login "{{\"code\":\"$CODE\"}}" | value handle)
  call /api/choose "{{\"handle\":\"$HANDLE\",\"way\":\"password\",\"user_name\":\"hanmeimei\",\"password\":\"wrong\"}}"
  call /api/choose "{{\"handle\":\"$HANDLE\",\"way\":\"password\",\"user_name\":\"hanmeimei\",\"password\":\"correct horse\"}}"
"#
    )
}
