//! Captchas, and the codes that they are solved for.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::super::ledger::Effect;
use super::super::puzzle::Puzzle;
use super::super::reserved::{self, FixedOutcome, ReservedKind};
use super::refusal::{
    Answer, BAD_FORMAT, BUSY, Fields, PASS_EXPIRED, PASS_INVALID, SENDING_FAILED, WRONG_CAPTCHA,
};
use super::state::{Tenant, bare};
use crate::endpoints::Endpoint;

impl Tenant {
    pub(super) fn captcha(&mut self) -> Answer {
        let Some(puzzle) = Puzzle::new(self.next_random()) else {
            return self.refuse(BUSY, "The system is busy. Try again later");
        };
        let token = self.random(32).to_lowercase();
        let issued = self.issued(puzzle.x);
        self.captchas.insert(token.clone(), issued);
        Ok(json!({
            "captchaId": null,
            "projectCode": null,
            "captchaOriginalPath": null,
            "captchaFontType": null,
            "captchaFontSize": null,
            "secretKey": self.random(16),
            "originalImageBase64": BASE64_STANDARD.encode(puzzle.picture),
            "point": null,
            "jigsawImageBase64": BASE64_STANDARD.encode(puzzle.piece),
            "wordList": null,
            "pointList": null,
            "pointJson": null,
            "token": token,
            "result": false,
            "captchaVerification": null,
        }))
    }

    pub(super) fn solve(&mut self, fields: &Fields) -> Answer {
        let (token, point) = (fields.get("token").to_owned(), fields.get("point_json"));
        let solution = self.take_fresh(|tenant| tenant.captchas.remove(&token));
        let given = serde_json::from_str::<Value>(point).ok().and_then(|point| point.get("x")?.as_f64());
        let tolerance = f64::from(self.settings.captcha_tolerance);
        let right = solution.zip(given).is_some_and(|(x, given)| (f64::from(x) - given).abs() <= tolerance);
        if !right {
            return self.refuse(WRONG_CAPTCHA, "Graphic verification code verification failed");
        }
        let pass = format!("{token}---{point}");
        let issued = self.issued(fields.get("sender").to_owned());
        self.passes.insert(pass.clone(), issued);
        Ok(json!({ "captcha_token": pass }))
    }

    pub(super) fn send_code(&mut self, row: &Endpoint, fields: &Fields) -> Answer {
        let destination = row.fields.first().map_or("", |field| fields.get(field.name));
        let pass = fields.get("captcha_token").trim_ascii();
        let lifetime = self.settings.code_lifetime;
        let Some(known) = self.passes.get(pass).filter(|known| known.value == destination) else {
            return self.refuse(PASS_INVALID, "Graphic verification code is invalid");
        };
        if self.is_expired(known, lifetime) {
            return self.refuse(PASS_EXPIRED, "Graphic verification code has expired");
        }
        let Some(send_type) = self.send_type(row) else {
            return self.refuse(BAD_FORMAT, "The type parameter format is incorrect");
        };
        match reserved::outcome(ReservedKind::Mobile, bare(destination)) {
            Some(FixedOutcome::SendingFailed) => {
                return self.refuse(SENDING_FAILED, "Failed to send verification code");
            }
            Some(FixedOutcome::Lost) => self.lose_response = true,
            _ => {}
        }
        if self.settings.single_use_pass {
            self.passes.remove(pass);
        }
        let code = self.random_digits();
        self.add_verify_code(destination, send_type, code);
        self.effect(Effect::CodeSent { destination: destination.to_owned(), send_type });
        Ok(Value::Null)
    }
}
