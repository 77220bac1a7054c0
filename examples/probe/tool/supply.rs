//! What only a human has: codes of the mini program, passwords, numbers, the codes that arrive there, solved captchas.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, Write};
use std::path::PathBuf;

use idaas_login::emulator::{Emulator, Unbound, User};
use idaas_login::endpoints::Platform;
use idaas_login::{Captcha, CaptchaImage};

use super::checks::Need;

/// Whom the next login should be of. A supply of real codes takes no notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Bound to no account: to bind.
    Bind,
    /// Bound to no account, and the tenant registers.
    Register,
    /// Bound to no account, and the account to bind has a second factor.
    BindThenFactor,
    /// Bound to an account with a second factor.
    Factor,
    /// Whoever is left.
    Anybody,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    Phone,
    Email,
}

pub trait Supply {
    /// Whether it can give this.
    fn has(&self, need: Need) -> bool;
    /// A code of `wx.login`.
    fn login_code(&mut self, want: Want) -> Option<String>;
    /// A code of `wx.login`, of somebody whom the tenant denies.
    fn denied_code(&mut self) -> Option<String>;
    /// A code of the phone-number button.
    fn phone_code(&mut self) -> Option<String>;
    fn user_name(&self) -> Option<String>;
    fn password(&self) -> Option<String>;
    /// The mobile number or the address.
    fn destination(&self, channel: Channel) -> Option<String>;
    /// Where the captcha's piece fits.
    fn solve(&mut self, captcha: &Captcha) -> Option<f64>;
    /// A verification code that was there before the probe began.
    fn early_code(&mut self, channel: Channel) -> Option<String>;
    /// The verification code that was just sent.
    fn code(&mut self, destination: &str, channel: Channel) -> Option<String>;
    /// Everything that must not be printed.
    fn secrets(&self) -> Vec<String>;
}

/// The operator: variables of the environment, and the keyboard if `--ask` is given.
pub struct Operator<'a> {
    login_codes: VecDeque<String>,
    denied_codes: VecDeque<String>,
    phone_codes: VecDeque<String>,
    user_name: Option<String>,
    password: Option<String>,
    mobile: Option<String>,
    email: Option<String>,
    sms_code: Option<String>,
    email_code: Option<String>,
    keyboard: Option<&'a mut dyn BufRead>,
}

impl<'a> Operator<'a> {
    pub fn read(variable: &dyn Fn(&str) -> Option<String>, keyboard: Option<&'a mut dyn BufRead>) -> Self {
        let one = |need: Need| variable(need.name());
        let list = |need| {
            let codes = one(need).unwrap_or_default();
            codes.split(',').map(str::trim).filter(|code| !code.is_empty()).map(str::to_owned).collect()
        };
        Self {
            login_codes: list(Need::LoginCodes),
            denied_codes: list(Need::DeniedCodes),
            phone_codes: list(Need::PhoneCodes),
            user_name: one(Need::UserName),
            password: one(Need::Password),
            mobile: one(Need::Mobile),
            email: one(Need::Email),
            sms_code: variable("IDAAS_PROBE_SMS_CODE"),
            email_code: variable("IDAAS_PROBE_EMAIL_CODE"),
            keyboard,
        }
    }

    /// A line from the keyboard; an empty one is none.
    fn ask(&mut self, question: &str) -> Option<String> {
        let keyboard = self.keyboard.as_mut()?;
        eprint!("{question}: ");
        io::stderr().flush().ok()?;
        let mut line = String::new();
        keyboard.read_line(&mut line).ok()?;
        Some(line.trim().to_owned()).filter(|line| !line.is_empty())
    }
}

impl Supply for Operator<'_> {
    fn has(&self, need: Need) -> bool {
        let asks = self.keyboard.is_some();
        match need {
            Need::LoginCodes => asks || !self.login_codes.is_empty(),
            Need::DeniedCodes => !self.denied_codes.is_empty(),
            Need::PhoneCodes => asks || !self.phone_codes.is_empty(),
            Need::UserName => self.user_name.is_some(),
            Need::Password => self.password.is_some(),
            Need::Mobile => self.mobile.is_some(),
            Need::Email => self.email.is_some(),
            Need::Captcha => asks,
            Need::SmsCode => asks || self.sms_code.is_some(),
            Need::EmailCode => asks || self.email_code.is_some(),
            Need::Bind | Need::Register | Need::Send | Need::WrongAttempts => false,
        }
    }

    fn login_code(&mut self, _: Want) -> Option<String> {
        let given = self.login_codes.pop_front();
        given.or_else(|| self.ask("a fresh code of wx.login (nothing: no more)"))
    }

    fn denied_code(&mut self) -> Option<String> {
        self.denied_codes.pop_front()
    }

    fn phone_code(&mut self) -> Option<String> {
        let given = self.phone_codes.pop_front();
        given.or_else(|| self.ask("a fresh code of the phone-number button (nothing: none)"))
    }

    fn user_name(&self) -> Option<String> {
        self.user_name.clone()
    }

    fn password(&self) -> Option<String> {
        self.password.clone()
    }

    fn destination(&self, channel: Channel) -> Option<String> {
        match channel {
            Channel::Phone => self.mobile.clone(),
            Channel::Email => self.email.clone(),
        }
    }

    fn solve(&mut self, captcha: &Captcha) -> Option<f64> {
        self.keyboard.as_ref()?;
        let mut files = Vec::new();
        for (name, image) in [("picture", captcha.picture()), ("piece", captcha.piece())] {
            if let Some(image) = image {
                files.push(write_image(name, image).ok()?);
            }
        }
        let x = self.ask("where the piece fits, in pixels from the left (nothing: skip)");
        for file in files {
            let _ = fs::remove_file(file);
        }
        x?.parse().ok()
    }

    fn early_code(&mut self, channel: Channel) -> Option<String> {
        let (given, question) = match channel {
            Channel::Phone => (self.sms_code.take(), "a code that came by SMS before (nothing: none)"),
            Channel::Email => (self.email_code.take(), "a code that came by e-mail before (nothing: none)"),
        };
        given.or_else(|| self.ask(question))
    }

    fn code(&mut self, _: &str, channel: Channel) -> Option<String> {
        self.ask(match channel {
            Channel::Phone => "the code that came by SMS (nothing: none)",
            Channel::Email => "the code that came by e-mail (nothing: none)",
        })
    }

    fn secrets(&self) -> Vec<String> {
        let lists = [&self.login_codes, &self.denied_codes, &self.phone_codes];
        let ones =
            [&self.user_name, &self.password, &self.mobile, &self.email, &self.sms_code, &self.email_code];
        lists.into_iter().flatten().chain(ones.into_iter().flatten()).cloned().collect()
    }
}

/// For a person to look at. A file of this name that is there already is somebody else's.
fn write_image(name: &str, image: &CaptchaImage) -> io::Result<PathBuf> {
    let suffix = image.media_type().trim_start_matches("image/");
    let file = std::env::temp_dir().join(format!("idaas-probe-{}-{name}.{suffix}", std::process::id()));
    File::create_new(&file)?.write_all(image.bytes())?;
    eprintln!("the captcha's {name}: {}", file.display());
    Ok(file)
}

/// An emulated tenant: whoever is wanted is made up.
pub struct Emulated {
    tenant: Emulator,
    want: Want,
    count: u32,
}

const PLAIN: &str = "probe-plain";
const FACTOR: &str = "probe-factor";
const DENIED: &str = "probe-denied";
const PASSWORD: &str = "correct-horse-battery";

impl Emulated {
    pub fn new(tenant: &Emulator) -> Self {
        let plain = User::new(PLAIN).name("Plain").password(PASSWORD);
        tenant.add_user(plain.mobile("15200000001").email("plain@example.com"));
        let factor = User::new(FACTOR).name("Factor").password(PASSWORD);
        tenant.add_user(factor.mobile("15200000002").email("factor@example.com").second_factor());
        tenant.add_user(User::new(DENIED).denied());
        Self { tenant: tenant.clone(), want: Want::Anybody, count: 0 }
    }

    fn identity(&self) -> String {
        format!("probe-openid-{}", self.count)
    }
}

impl Supply for Emulated {
    fn has(&self, _: Need) -> bool {
        true
    }

    fn login_code(&mut self, want: Want) -> Option<String> {
        let unbound = if want == Want::Register { Unbound::Register } else { Unbound::Bind };
        self.tenant.configure(|settings| settings.unbound = unbound);
        (self.want, self.count) = (want, self.count + 1);
        match want {
            Want::Bind | Want::Register | Want::BindThenFactor => {}
            Want::Factor => self.tenant.bind(Platform::WeChatMiniProgram, self.identity(), FACTOR),
            Want::Anybody => return None,
        }
        Some(self.tenant.wechat_login_code(self.identity()))
    }

    fn denied_code(&mut self) -> Option<String> {
        if self.tenant.bound_user(Platform::WeChatMiniProgram, DENIED).is_some() {
            return None;
        }
        self.tenant.bind(Platform::WeChatMiniProgram, DENIED, DENIED);
        Some(self.tenant.wechat_login_code(DENIED))
    }

    fn phone_code(&mut self) -> Option<String> {
        Some(self.tenant.wechat_phone_code(self.destination(Channel::Phone)?))
    }

    fn user_name(&self) -> Option<String> {
        Some(PLAIN.to_owned())
    }

    fn password(&self) -> Option<String> {
        Some(PASSWORD.to_owned())
    }

    fn destination(&self, channel: Channel) -> Option<String> {
        Some(match (self.want, channel) {
            (Want::BindThenFactor | Want::Factor, Channel::Phone) => "15200000002".to_owned(),
            (Want::BindThenFactor | Want::Factor, Channel::Email) => "factor@example.com".to_owned(),
            (Want::Register, Channel::Phone) => format!("153{:08}", self.count),
            (Want::Register, Channel::Email) => format!("new-{}@example.com", self.count),
            (_, Channel::Phone) => "15200000001".to_owned(),
            (_, Channel::Email) => "plain@example.com".to_owned(),
        })
    }

    fn solve(&mut self, captcha: &Captcha) -> Option<f64> {
        self.tenant.captcha_solution(captcha.token().expose())
    }

    fn early_code(&mut self, _: Channel) -> Option<String> {
        None
    }

    fn code(&mut self, destination: &str, _: Channel) -> Option<String> {
        self.tenant.last_code(destination)
    }

    fn secrets(&self) -> Vec<String> {
        [PLAIN, FACTOR, DENIED, PASSWORD].map(str::to_owned).into()
    }
}
