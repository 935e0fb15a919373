/**
 * The random numbers of PyTorch on the CPU, so that a seed gives the same colors in the browser: the Mersenne Twister
 * (Matsumoto, Nishimura 1998) and the transform of Box and Muller (1958), in the order in which ATen uses them.
 */

const LENGTH = 624;
const SHIFT = 397;
const BLOCK = 16;
// From here on, ATen fills arrays block by block.
const FEWEST_IN_BLOCKS = 16;

export class Generator {
  /** @param {number} seed an integer; as in PyTorch, its lowest 32 bits count */
  constructor(seed) {
    this.state = new Uint32Array(LENGTH);
    this.state[0] = seed % 2 ** 32;
    for (let at = 1; at < LENGTH; at += 1) {
      const before = this.state[at - 1];
      this.state[at] = Math.imul(1812433253, before ^ (before >>> 30)) + at;
    }
    this.at = LENGTH;
    this.waiting = null;
  }

  /** An integer of 32 bits. */
  next() {
    if (this.at === LENGTH) this.#advance();
    let value = this.state[this.at];
    this.at += 1;
    value ^= value >>> 11;
    value ^= (value << 7) & 0x9d2c5680;
    value ^= (value << 15) & 0xefc60000;
    return (value ^ (value >>> 18)) >>> 0;
  }

  /** `torch.rand`, in single precision. */
  uniform(count) {
    return Float32Array.from({ length: count }, () => this.#single());
  }

  /** `torch.randn`, in single precision. */
  normal(count) {
    if (count < FEWEST_IN_BLOCKS) return Float32Array.from({ length: count }, () => this.#gaussian());
    const values = this.uniform(count);
    const whole = count - (count % BLOCK);
    for (let start = 0; start < whole; start += BLOCK) gaussianBlock(values, start);
    if (whole < count) {
      // The last block overlaps with the one before, with new numbers.
      values.set(this.uniform(BLOCK), count - BLOCK);
      gaussianBlock(values, count - BLOCK);
    }
    return values;
  }

  #single() {
    return (this.next() % 2 ** 24) / 2 ** 24;
  }

  #double() {
    const high = this.next() % 2 ** 21;
    return (high * 2 ** 32 + this.next()) / 2 ** 53;
  }

  #gaussian() {
    if (this.waiting !== null) {
      const value = this.waiting;
      this.waiting = null;
      return value;
    }
    const [first, second] = [this.#double(), this.#double()];
    const radius = Math.sqrt(-2 * Math.log1p(-second));
    const angle = 2 * Math.PI * first;
    this.waiting = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  #advance() {
    const { state } = this;
    for (let at = 0; at < LENGTH; at += 1) {
      const both = (state[at] & 0x80000000) | (state[(at + 1) % LENGTH] & 0x7fffffff);
      state[at] = state[(at + SHIFT) % LENGTH] ^ (both >>> 1) ^ (both & 1 ? 0x9908b0df : 0);
    }
    this.at = 0;
  }
}

/** Makes normal numbers of 16 uniform ones, in place. */
function gaussianBlock(values, start) {
  for (let at = start; at < start + BLOCK / 2; at += 1) {
    const radius = Math.sqrt(-2 * Math.log(1 - values[at]));
    const angle = 2 * Math.PI * values[at + BLOCK / 2];
    values[at] = radius * Math.cos(angle);
    values[at + BLOCK / 2] = radius * Math.sin(angle);
  }
}
