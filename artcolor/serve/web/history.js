/** Steps that can be undone and done again. States are never changed in place. */

const MOST = 200;

export class History {
  #past = [];
  #future = [];
  #key = null;

  /** @param {object} state the first one */
  constructor(state) {
    this.state = state;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  /**
   * Sets a new state.
   *
   * @param {object} state
   * @param {string | null} key of what changes: changes with the same key are one step, until `seal`
   */
  push(state, key = null) {
    if (key === null || key !== this.#key) this.#past.push(this.state);
    if (this.#past.length > MOST) this.#past.shift();
    this.#key = key;
    this.#future = [];
    this.state = state;
  }

  /** Ends a step. */
  seal() {
    this.#key = null;
  }

  undo() {
    return this.#step(this.#past, this.#future);
  }

  redo() {
    return this.#step(this.#future, this.#past);
  }

  #step(from, to) {
    if (!from.length) return false;
    to.push(this.state);
    this.state = from.pop();
    this.#key = null;
    return true;
  }
}
