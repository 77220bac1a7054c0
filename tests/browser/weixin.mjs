// A mini program as a page for a browser. Its templates are compiled and its components run by glass-easel, WeChat's own
// component framework. `wx`, the built-in components and the conversion of styles are small stand-ins.
import { existsSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

// WeChat's unit: 750 of them are as wide as the screen.
const inPixels = text => text.replace(/(-?[\d.]+|\{\{[^{}]*\}\})rpx/g, (_, width) => `calc(${width} * 100vw / 750)`);

// The HTML of the mini program in `folder`. `require` finds the packages.
export function pageOf(folder, require) {
  const text = path => readFileSync(join(folder, path), 'utf8');
  const { pages: [page] } = JSON.parse(text('app.json'));
  const config = path => JSON.parse(text(path + '.json'));
  const components = Object.values(config(page).usingComponents ?? {}).map(path => path.replace(/^\//, ''));
  const views = [...components, page];

  const { TmplGroup } = require('glass-easel-template-compiler');
  const group = new TmplGroup();
  for (const view of views) {
    const complaints = group.addTmpl(view, inPixels(text(view + '.wxml')));
    if (complaints.length) throw new Error(`${view}.wxml: ${JSON.stringify(complaints)}`);
  }
  const templates = group.getTmplGenObjectGroups();
  group.free();

  // Scripts, and what they require, by their paths.
  const scripts = {};
  const add = path => {
    if (scripts[path] !== undefined) return;
    scripts[path] = text(path + '.js');
    for (const [, needed] of scripts[path].matchAll(/\brequire\('([^']+)'\)/g)) add(posix.join(posix.dirname(path), needed));
  };
  ['app', ...views].forEach(add);

  const styles = ['app', ...views].filter(view => existsSync(join(folder, view + '.wxss'))).map(view => text(view + '.wxss'));

  const framework = name => `(module => { ((module, exports, require) => {${readFileSync(require.resolve(name), 'utf8')}
})(module, module.exports, name => frameworks[name]); frameworks['${name}'] = module.exports; })({ exports: {} });`;
  const functions = Object.entries(scripts).map(([path, source]) => `'${path}': (module, exports, require) => {${source}\n}`);
  const about = JSON.stringify({ page, views, configs: Object.fromEntries(views.map(view => [view, config(view)])) });
  return `<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><style>${BUILT_IN}${inPixels(styles.join('\n'))}</style><body><script>
const frameworks = {};
${framework('glass-easel')}
${framework('glass-easel-miniprogram-adapter')}
(${run})({ ${functions.join(',\n')} }, (() => { return ${templates} })(), ${about});
</script></body>`;
}

// How the built-in components look, as far as this mini program uses them.
const BUILT_IN = `
  * { box-sizing: border-box; }
  body { margin: 0; font-family: system-ui, sans-serif; line-height: 1.5; }
  page, view, image, slider { display: block; }
  page { min-height: 100vh; padding: 1px; }
  input, button { display: block; width: 100%; font: inherit; color: inherit; background: none; }
  button { border: 0; border-radius: 8px; padding: 0 14px; line-height: 2.56; }
  button:disabled { opacity: .4; }
  image > img { display: block; width: 100%; height: 100%; }
  image > .heightFix { width: auto; }
  slider > input { width: 100%; margin: 8px 0; accent-color: #0a7d4f; }
`;

// In the browser: `modules` by path, the compiled templates, and the configuration of each page and component.
function run(modules, templates, { page, views, configs }) {
  const glassEasel = frameworks['glass-easel'];
  const loaded = {};
  const load = path => {
    if (!loaded[path]) {
      const module = loaded[path] = { exports: {} };
      modules[path](module, module.exports, needed => load(new URL(needed, 'file:///' + path).pathname.slice(1)));
    }
    return loaded[path].exports;
  };

  // What was requested, and the status of each response.
  window.calls = [];
  const storage = {};
  window.wx = {
    request({ url, method, header, data, success, fail }) {
      const isGet = method === 'GET';
      const query = isGet ? '?' + Object.entries(data).map(pair => pair.map(encodeURIComponent).join('=')).join('&') : '';
      const headers = { 'Content-Type': 'application/json', ...header };
      fetch(url + query, { method, headers, body: isGet ? undefined : JSON.stringify(data) }).then(async response => {
        const text = await response.text();
        window.calls.push(`${new URL(url).pathname} ${response.status}`);
        const isJson = (response.headers.get('content-type') || '').includes('json');
        success({ statusCode: response.status, data: isJson ? JSON.parse(text) : text });
      }).catch(fail);
    },
    getStorageSync: key => storage[key] ?? '',
    setStorageSync: (key, value) => { storage[key] = value; },
    removeStorageSync: key => { delete storage[key]; },
    getRandomValues: ({ length, success }) => success({ randomValues: crypto.getRandomValues(new Uint8Array(length)).buffer }),
    getDeviceInfo: () => ({ system: 'iOS 18.1' }),
    getAppBaseInfo: () => ({ language: navigator.language.startsWith('zh') ? 'zh_CN' : 'en' }),
    login: ({ success }) => success({ code: 'of-wechat' }),
  };
  // What WeChat's sheet gives when the phone button was tapped.
  window.sheet = { errMsg: 'getPhoneNumber:ok', code: 'of-wechat' };

  const env = new frameworks['glass-easel-miniprogram-adapter'].MiniProgramEnv();
  const space = env.createCodeSpace('', true);
  // The browser's own events of a field stop here: WeChat's have other details.
  const fields = new WeakMap();
  for (const type of ['input', 'change']) {
    addEventListener(type, event => {
      event.stopPropagation();
      fields.get(event.target)?.(type);
    }, true);
  }
  // Those that have their element.
  const ready = new WeakSet();
  // Each is the element of HTML with its name; properties are set on it, and events are WeChat's.
  const builtIn = (name, properties, { set = () => {}, attached = () => {} } = {}) => {
    const show = component => {
      const element = component.getBackendElement();
      for (const property of Object.keys(properties)) set(element, property, component.data[property]);
    };
    const definition = env.getGlobalCodeSpace().getComponentSpace().define(name).definition({
      properties,
      observers: { '**'() { if (ready.has(this)) show(this); } },
      lifetimes: {
        attached() {
          attached(this, this.getBackendElement());
          ready.add(this);
          show(this);
        },
      },
    }).registerComponent();
    space.getComponentSpace().setGlobalUsingComponent(name, definition);
  };
  builtIn('view', {});
  builtIn('button', { disabled: Boolean, openType: String }, {
    set: (element, property, value) => { element[property] = value; },
    attached: (component, element) => element.addEventListener('click', () => {
      if (component.data.openType === 'getPhoneNumber') component.triggerEvent('getphonenumber', window.sheet);
    }),
  });
  builtIn('input', { value: String, type: String, password: Boolean, placeholder: String }, {
    set: (element, property, value) => {
      if (property === 'password') element.type = value ? 'password' : 'text';
      else if (property === 'type') element.inputMode = value === 'number' ? 'numeric' : '';
      else if (element[property] !== value) element[property] = value;
    },
    attached: (component, element) => fields.set(element, type => {
      if (type === 'input') component.triggerEvent('input', { value: element.value });
    }),
  });
  builtIn('image', { src: String, mode: String }, {
    set: (element, property, value) => { element.firstChild[property === 'src' ? 'src' : 'className'] = value; },
    attached: (component, element) => element.append(new Image()),
  });
  builtIn('slider', { min: Number, max: Number, value: Number }, {
    set: (element, property, value) => { element.firstChild[property] = value; },
    attached: (component, element) => {
      const range = Object.assign(document.createElement('input'), { type: 'range', step: 'any' });
      element.append(range);
      fields.set(range, type => {
        component.triggerEvent(type === 'input' ? 'changing' : 'change', { value: Number(range.value) });
      });
    },
  });

  let app;
  window.getApp = () => app;
  window.App = definition => { (app = definition).onLaunch(); };
  load('config').service = location.origin;
  load('app');
  for (const view of views) {
    space.addComponentStaticConfig(view, configs[view]);
    space.addCompiledTemplate(view, { groupList: templates, content: templates[view] });
    space.globalComponentEnv(window, view, () => load(view));
  }
  const backend = new glassEasel.CurrentWindowBackendContext();
  backend.onEvent((target, type, detail, options) => {
    const event = new glassEasel.Event(type, detail, options);
    glassEasel.Event.dispatchEvent(target, event);
    return event.getEventBubbleStatus();
  });
  const root = env.associateBackend(backend).createRoot('page', space, page);
  const place = document.body.appendChild(document.createElement('div'));
  root.attach(document.body, place);
  window.page = root.getComponent().getMethodCaller();
  window.page.onLoad({});
}
