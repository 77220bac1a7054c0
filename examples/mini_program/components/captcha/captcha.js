// The block puzzle: a picture with a gap, the piece, and a slider that moves it. Where the piece ends goes to `solve`, as `x`.
Component({
  properties: {
    captcha: { type: Object, value: { token: '', picture: '', piece: '', width: 0, height: 0 } },
    label: String,
    button: String,
    disabled: Boolean,
  },
  data: { x: 0 },
  observers: {
    // Another captcha begins at the left.
    'captcha.token'() {
      this.setData({ x: 0 });
    },
  },
  methods: {
    move({ detail }) {
      this.setData({ x: detail.value });
    },
    solve() {
      this.triggerEvent('solve', { x: this.data.x });
    },
  },
});
