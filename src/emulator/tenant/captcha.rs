//! Captchas, and the codes that they are solved for.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use serde_json::{Value, json};

use super::super::ledger::Effect;
use super::super::puzzle::Puzzle;
use super::refusal::{Answer, Fields, Refused, refuse};
use super::state::Tenant;
use crate::endpoints::Endpoint;

impl Tenant {
    pub(super) fn captcha(&mut self) -> Answer {
        let Some(puzzle) = Puzzle::new(self.next_random()) else {
            return Err(Refused(
                StatusCode::INTERNAL_SERVER_ERROR,
                "SDK.COMMON.1008",
                "The system is busy. Try again later".to_owned(),
            ));
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
            return refuse("IDAAS.SDK.CAPTCHA.0002", "Graphic verification code verification failed");
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
        let valid = self
            .passes
            .get(pass)
            .is_some_and(|known| known.value == destination && !self.is_expired(known, lifetime));
        let Some(send_type) = self.send_type(row).filter(|_| valid) else {
            return refuse("IDAAS.SDK.CAPTCHA.0006", "Failed to send verification code");
        };
        if self.settings.single_use_pass {
            self.passes.remove(pass);
        }
        let code = self.random_digits();
        self.add_verify_code(destination, send_type, code);
        self.effect(Effect::CodeSent { destination: destination.to_owned(), send_type });
        Ok(Value::Null)
    }
}
