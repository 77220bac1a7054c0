const { createLogin } = require('../../utils/login');
const texts = require('../../utils/texts');

// What each method asks the user for.
const FIELDS = {
  password: ['user_name', 'password'],
  phone: ['phone'],
  email: ['email'],
  register: ['user_name', 'name', 'new_password'],
  reset_password: [],
  change_password: ['old_password', 'new_password'],
  keep_password: [],
  attributes: ['user_name', 'name', 'new_password'],
};
const TO_BEGIN = ['password', 'phone', 'email', 'register', 'reset_password'];
const HAS_NUMBER = ['mfa_required', 'password_expiring', 'password_expired'];

// The texts in one language.
function translated(part, language) {
  if (Array.isArray(part)) return part[language === 'zh' ? 1 : 0];
  return Object.fromEntries(Object.entries(part).map(([name, inner]) => [name, translated(inner, language)]));
}

Page({
  data: { login: { ways: [] }, can: {}, methods: [], method: '', fields: [], values: {}, problem: '', note: '', t: {} },

  onLoad() {
    const { platform } = getApp();
    this.t = translated(texts, platform.language);
    this.setData({ t: this.t });
    this.login = createLogin(platform, (state) => this.show(state));
    this.show(this.login.state);
  },

  show(state) {
    const isSame = this.data.login.stage === state.stage && this.data.login.destination === state.destination;
    const begins = state.ways.includes('login');
    const methods = begins ? TO_BEGIN : state.ways.filter((way) => FIELDS[way]);
    const method = isSame && methods.includes(this.data.method) ? this.data.method : methods[0] || '';
    this.setData({
      login: state,
      // For wx:if, which has no functions.
      can: Object.fromEntries(state.ways.map((way) => [way, true])),
      methods,
      method,
      fields: FIELDS[method] || [],
      problem: this.told(state.problem),
      note: this.note(state),
    });
    // What was typed on one stage is nothing for the next.
    if (!isSame) this.setData({ values: {} });
  },

  // The words for a failure. The tenant's own are better where they speak of what the user entered.
  told(problem) {
    if (!problem) return '';
    const { what, code, message, wait } = problem;
    if (code && message && (what === 'ask_again' || what === 'wait')) return message;
    const text = this.t.problems[what] || this.t.own[what];
    return wait ? `${text}\n${this.t.notes.seconds} ${wait}` : text;
  },

  note({ hint, policy, stage }) {
    if (hint) return this.t.notes[hint];
    if (policy) return `${this.t.notes.characters} ${policy.min_length || 1}–${policy.max_length || '…'}`;
    return HAS_NUMBER.includes(stage) ? this.t.notes.registered_number : '';
  },

  typed({ currentTarget, detail }) {
    this.setData({ [`values.${currentTarget.dataset.field}`]: detail.value });
  },
  pick({ currentTarget }) {
    const { method } = currentTarget.dataset;
    this.setData({ method, fields: FIELDS[method] });
  },

  // The form of the method that was picked.
  send() {
    const { method, values } = this.data;
    const attributes = { user_name: values.user_name, name: values.name, password: values.new_password };
    if (method === 'register') return this.login.begin('register', { attributes });
    if (method === 'attributes') return this.login.register(attributes);
    if (method === 'change_password') {
      return this.login.choose(method, { password: values.old_password, new_password: values.new_password });
    }
    const input = {};
    for (const field of FIELDS[method]) input[field] = values[field] || '';
    return this.data.can.login ? this.login.begin(method, input) : this.login.choose(method, input);
  },
  submit() {
    const { code = '', new_password } = this.data.values;
    return this.login.submit(this.data.can.new_password ? { code, new_password } : { code });
  },

  wechat() {
    return this.login.wechat();
  },
  phoneNumber({ detail }) {
    return this.login.phoneNumber(detail);
  },
  captcha() {
    return this.login.captcha();
  },
  solve({ detail }) {
    return this.login.solve(detail.x);
  },
  back() {
    return this.login.back();
  },
  retryAnyway() {
    return this.login.retryAnyway();
  },
  forget() {
    this.login.forget();
  },
});
