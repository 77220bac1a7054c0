// One login: where it stands, and what can be done from there. The page shows `state`; each function is for a tap.

const BEGINNING = { stage: 'unauthenticated', ways: ['login'], purpose: null, destination: null, policy: null };

function createLogin(platform, changed) {
  // In memory alone: if the mini program is closed, the login begins again.
  let handle = null;
  let state = Object.assign({ busy: false, problem: null, hint: null, captcha: null, sent: false, user: null }, BEGINNING);

  function set(part) {
    state = Object.assign({}, state, part);
    changed(state);
  }

  // Sends a request with the handle, and takes the place that the response names. A failure, too, may have moved the login.
  async function call(path, input) {
    const reply = await platform.post(path, Object.assign(path === '/api/login' ? {} : { handle }, input));
    if (reply.stage) {
      const { stage, purpose, ways, destination, policy } = Object.assign({}, BEGINNING, reply);
      const moved = ['stage', 'purpose', 'destination'].some((name) => state[name] !== (reply[name] || null));
      handle = reply.handle || null;
      set(Object.assign({ stage, purpose, ways, destination, policy }, moved && { captcha: null, sent: false, user: null }));
      reply.moved = moved;
    }
    set({ problem: reply.error || null });
    return reply;
  }

  // A call that can lead to another stage. What each stage begins with follows by itself.
  async function step(path, input) {
    const reply = await call(path, input);
    if (reply.moved && state.ways.includes('captcha')) await captcha();
    if (reply.moved && state.stage === 'authenticated') await me();
    return reply;
  }

  async function captcha() {
    set({ captcha: (await call('/api/captcha')).captcha || null });
  }

  // The user, from the identity token. It lives shorter than the session: an old one is renewed.
  async function me() {
    let reply = await call('/api/me');
    if (reply.error && reply.error.what === 'renew_id_token' && !(await call('/api/renew')).error) {
      reply = await call('/api/me');
    }
    set({ user: reply.user || null });
  }

  // One thing at a time: a second tap does nothing while the first is under way.
  const once = (act) => async (...given) => {
    if (state.busy) return;
    set({ busy: true, problem: null, hint: null });
    try {
      await act(...given);
    } catch (failed) {
      set({ problem: { what: 'no_response' } });
    } finally {
      set({ busy: false });
    }
  };

  return {
    get state() {
      return state;
    },

    // A spent code costs the user nothing: WeChat gives another one.
    wechat: once(async () => {
      const begin = async () => step('/api/login', { way: 'wechat_mini_program', code: await platform.loginCode() });
      const { error } = await begin();
      if (error && error.what === 'fresh_platform_code') await begin();
    }),

    // The event of the phone button, here to begin a login and there to bind an account.
    phoneNumber: once(async (detail) => {
      const code = await platform.phoneCode(detail);
      if (!code) return set({ problem: { what: 'number_declined' } });
      if (state.stage === 'unauthenticated') return step('/api/login', { way: 'wechat_mini_program_mobile', code });
      return step('/api/choose', { way: 'authorised_number', code });
    }),

    begin: once((way, input) => step('/api/login', Object.assign({ way }, input))),
    choose: once((way, input) => step('/api/choose', Object.assign({ way }, input))),
    register: once((attributes) => step('/api/attributes', { attributes })),
    captcha: once(captcha),

    // The piece was moved to `x`. A captcha is good for one try, and its pass for one code.
    solve: once(async (x) => {
      const { token } = state.captcha;
      const { captcha_token } = await call('/api/captcha/solve', { token, x });
      set({ captcha: null });
      if (captcha_token) set({ sent: Boolean((await call('/api/send-code', { captcha_token })).sent) });
      const { problem } = state;
      if (problem && problem.what === 'new_captcha') {
        await captcha();
        set({ problem: state.problem || problem });
      }
    }),

    submit: once(async (input) => {
      const { error } = await step('/api/submit', input);
      if (!error && state.stage === 'unauthenticated') set({ hint: 'password_reset' });
    }),

    back: once(() => step('/api/back')),
    retryAnyway: once(() => step('/api/retry-anyway')),

    // Whoever forgets the handle is logged out of this device.
    forget() {
      handle = null;
      set(Object.assign({ problem: null, hint: null, captcha: null, sent: false, user: null }, BEGINNING));
    },
  };
}

module.exports = { createLogin };
