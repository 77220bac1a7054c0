//! The country codes: the documented example.

use serde_json::json;

use super::refusal::Answer;
use super::state::Tenant;

impl Tenant {
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)] // It answers like the others.
    pub(super) fn country_codes(&self) -> Answer {
        let entry = |area_code, country_code, names: [&str; 3], mobile_regex| {
            let [traditional, english, simplified] = names;
            json!({
                "areaCode": area_code,
                "displayMapping": { "zh-TW": traditional, "en": english, "zh-CN": simplified },
                "countryCode": country_code,
                "mobileRegex": mobile_regex,
                "areaCodeSuffixes": [],
            })
        };
        Ok(json!({
            "phoneAreaCodeDefinitions": [
                entry("86", "CN", ["中國大陸", "Chinese Mainland", "中国大陆"], r"^(\+86){0,1}\-?1\d{10}$"),
                entry(
                    "852",
                    "HK",
                    ["中國香港", "Hong Kong (China)", "中国香港"],
                    r"^(\+852){1}\-?0{0,1}[1,4,5,6,7,8,9](?:\d{7}|\d{8}|\d{12})$",
                ),
                entry(
                    "886",
                    "TW",
                    ["中國臺灣", "Taiwan (China)", "中国台湾"],
                    r"^(\+886){1}\-?[6,7,9](?:\d{7}|\d{8})$",
                ),
                entry("93", "AF", ["阿富汗", "Afghanistan", "阿富汗"], r"^(\+93){1}\-\d{6,11}"),
            ],
            "preferredAreaCode": "CN",
        }))
    }
}
