//! What steps, side calls and what they are made of print of themselves, in full: names, and nothing of the user.

use std::fmt::{Debug, Write as _};

use idaas_login::{CaptchaPass, IdToken, Outcome, RegistrationAttributes, VerifyMethod};
use support::{CAPTCHA, MFA_AUTH, SOCIAL_BIND, SUCCESS, client, device, log_in, response, script};

#[derive(Default)]
struct Printed(String);

impl Printed {
    fn debug(&mut self, value: &impl Debug) {
        writeln!(self.0, "{value:?}").unwrap();
    }
}

#[test]
fn what_is_printed() {
    let mut printed = Printed::default();
    let client =
        client(script([SOCIAL_BIND, MFA_AUTH, CAPTCHA, SUCCESS].map(|body| Ok(response(200, body))).into()));
    printed.debug(&client);
    printed.debug(&device());
    printed.debug(&client.login(device()));

    // A step before it is sent, with an input that cannot be right, and on its way.
    let Outcome::PendingBind(stage) = log_in(&client) else { panic!("SOCIAL_BIND leads to a bind") };
    printed.debug(stage.allowed_flows());
    let step = stage.username_password("zhangshan", "password");
    printed.debug(&step);
    let (_, in_flight) = step.into_request().unwrap();
    printed.debug(&in_flight);
    printed.debug(&client.login(device()).wechat_mini_program(""));

    // A side call, likewise.
    let Outcome::MfaRequired(stage) = log_in(&client) else { panic!("MFA_AUTH leads to a second factor") };
    let stage = stage.phone("15201657312");
    printed.debug(&stage);
    let pass = CaptchaPass::from_token("15201657312", "a pass");
    printed.debug(&pass);
    let call = stage.send_code(&pass);
    printed.debug(&call);
    let (_, in_flight) = call.into_request().unwrap();
    printed.debug(&in_flight);
    printed.debug(&stage.send_code(&CaptchaPass::from_token("another", "a pass")));
    printed.debug(&stage.back().email("zhangsan@qq.com"));
    printed.debug(&client.captcha(&device()).send().unwrap());
    printed.debug(&log_in(&client));

    // Stages that ask nothing of the tenant, and a method that the tenant does not allow.
    let attributes = RegistrationAttributes::new();
    assert!(attributes.is_empty());
    printed.debug(&client.login(device()).register(attributes));
    let attributes = RegistrationAttributes::new().user_name("zhangshan").password("password");
    assert!(!attributes.is_empty());
    printed.debug(&client.login(device()).register(attributes));
    printed.debug(&client.login(device()).reset_password());
    let phone_alone =
        r#"{"status":"SOCIAL_BIND","state_token":"a","data":{"socialBindOrRegisterFlow":["VERIFY_PHONE"]}}"#;
    let stage = support::pending_bind(&support::client(support::always(200, phone_alone)));
    let not_allowed = stage.email("zhangsan@qq.com").unwrap_err();
    printed.debug(&not_allowed);
    writeln!(printed.0, "{not_allowed}").unwrap();

    let weak = r#"{"status":"PASSWORD_EXPIRED","state_token":"a","data":"{\"minLength\":8,\"regEx\":\"a-secret\"}"}"#;
    printed.debug(&log_in(&support::client(support::always(200, weak))));

    let token = IdToken::from_text("eyJhbGciOiJub25lIn0.eyJpc3MiOiJ6aGFuZ3NoYW4ifQ.c2ln");
    printed.debug(&token);
    printed.debug(&token.unverified_claims().unwrap());

    for name in ["VERIFY_PHONE", "VERIFY_EMAIL", "VERIFY_FACE", "15201657312"] {
        let data = format!(
            r#"{{"status":"SOCIAL_BIND","state_token":"a","data":{{"socialBindOrRegisterFlow":["{name}"]}}}}"#
        );
        let stage = support::pending_bind(&support::client(support::always(200, &data)));
        let [method] = stage.allowed_flows().listed().unwrap() else { panic!("one was listed") };
        assert_eq!(method.as_str(), name);
        printed.debug(method);
        writeln!(printed.0, "{method}").unwrap();
    }
    snapshot!("errors", "printed_of_steps", printed.0);
}

/// What the tenant lists, in its order; nothing if it did not say.
#[test]
fn the_ways_that_the_tenant_lists() {
    let stage = support::pending_bind(&client(support::always(200, SOCIAL_BIND)));
    assert_eq!(stage.allowed_flows().listed(), Some(&[VerifyMethod::Phone, VerifyMethod::Email][..]));
    let stage = support::pending_register(&client(support::always(200, support::USER_REGISTER)));
    assert_eq!(stage.allowed_flows().listed(), None);
}
