//! An emulated tenant in this process, and what a browser needs in the place of the platforms, a phone and a mailbox.
//!
//! | `GET` | gives |
//! |---|---|
//! | `/dev/people` | who can open the mini program |
//! | `/dev/code?platform=&user=&unbound=` | a code or access token as the platform gives it: `wechat_mini_program`, `alipay_mini_program`, `wechat_app`, `alipay_app`, `qq`, `weibo` or `apple`; `unbound` says what an identity without account gets: `bind` or `register` |
//! | `/dev/wx-code?user=&unbound=` | the same, as `wx.login` gives it |
//! | `/dev/phone-code?platform=&mobile=` | what stands for a phone number that the user authorises: `wechat_mini_program`, `alipay_mini_program` or `carrier` |
//! | `/dev/last-code?to=` | the last verification code that was sent there |
//! | `/dev/captcha-x?token=` | where the piece of a captcha fits |
//! | `/dev/lose-answer` | loses the answer to the next bind by password |
//! | `/dev/accounts` | puts the accounts back to how they were, passwords and all |

use idaas_login::emulator::{Emulator, EmulatorServer, Fault, Unbound, User};
use idaas_login::endpoints::{self, Platform};
use idaas_login::{ClientBuilder, Edition};
use serde_json::{Value, json};

/// The platforms, by the ways to log in that they belong to.
const PLATFORMS: &[(&str, Platform)] = &[
    ("wechat_mini_program", Platform::WeChatMiniProgram),
    ("alipay_mini_program", Platform::AlipayMiniProgram),
    ("wechat_app", Platform::WeChatApp),
    ("alipay_app", Platform::AlipayApp),
    ("qq", Platform::Qq),
    ("weibo", Platform::Weibo),
    ("apple", Platform::Apple),
    ("carrier", Platform::Carrier),
];

pub struct Dev(EmulatorServer);

impl Dev {
    pub fn start(edition: Edition) -> std::io::Result<Self> {
        let tenant = Emulator::new();
        tenant.configure(|settings| settings.edition = edition);
        add_accounts(&tenant);
        for (_, platform) in PLATFORMS {
            for user_name in ["lilei", "chenjie", "zhouyang"] {
                tenant.bind(*platform, format!("openid-{user_name}"), user_name);
            }
        }
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
        let platform = || {
            let named = given("platform").unwrap_or_else(|| "wechat_mini_program".to_owned());
            PLATFORMS.iter().find(|(name, _)| *name == named).map(|(_, platform)| *platform)
        };
        Some(match path {
            "/dev/people" => json!([
                { "name": "Li Lei", "openid": "openid-lilei", "about": "bound" },
                { "name": "Chen Jie", "openid": "openid-chenjie", "about": "bound, asked for a second factor" },
                { "name": "Zhou Yang", "openid": "openid-zhouyang", "about": "bound, denied by policy" },
            ]),
            "/dev/code" | "/dev/wx-code" => {
                let unbound = match given("unbound").as_deref() {
                    Some("register") => Unbound::Register,
                    _ => Unbound::Bind,
                };
                tenant.configure(|settings| settings.unbound = unbound);
                json!({ "code": tenant.login_code(platform()?, given("user")?) })
            }
            "/dev/phone-code" => json!({ "code": tenant.phone_code(platform()?, given("mobile")?) }),
            "/dev/last-code" => json!({ "code": tenant.last_code(&given("to")?) }),
            "/dev/captcha-x" => json!({ "x": tenant.captcha_solution(&given("token")?) }),
            "/dev/lose-answer" => {
                tenant.fail_next(endpoints::BIND_USERNAME_PASSWORD.path, Fault::LoseResponse);
                json!({})
            }
            "/dev/accounts" => {
                add_accounts(tenant);
                json!({})
            }
            _ => return None,
        })
    }
}

fn add_accounts(tenant: &Emulator) {
    let user = |user_name: &str, name: &str| User::new(user_name).name(name);
    tenant.add_user(user("lilei", "Li Lei").mobile("13700137000"));
    let han = user("hanmeimei", "Han Meimei").password("correct horse");
    tenant.add_user(han.mobile("15201657312").email("hanmeimei@example.com"));
    let chen = user("chenjie", "Chen Jie").password("battery staple").second_factor();
    tenant.add_user(chen.mobile("13800138000").email("chenjie@example.com"));
    tenant.add_user(user("zhouyang", "Zhou Yang").denied());
    let sun = user("sunli", "Sun Li").password("nearly expired").password_expiring();
    tenant.add_user(sun.mobile("13900139000").email("sunli@example.com"));
    let wang = user("wangwei", "Wang Wei").password("long expired").password_expired();
    tenant.add_user(wang.mobile("13600136000").email("wangwei@example.com"));
    let zhao = user("zhaomin", "Zhao Min").password("expired, too").password_expired().second_factor();
    tenant.add_user(zhao.mobile("13500135000").email("zhaomin@example.com"));
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

  # Wang Wei's password has expired: he changes it. `ways` says what can be done, `policy` what a new one needs.
  HANDLE=$(call /api/login '{{"way":"password","user_name":"wangwei","password":"long expired"}}' | value handle)
  call /api/choose "{{\"handle\":\"$HANDLE\",\"way\":\"change_password\",\"password\":\"long expired\",\"new_password\":\"quite fresh\"}}"
"#
    )
}
