/** What went wrong, for people: `reason` is a key of the strings, `detail` goes into that text. */
export class Failure extends Error {
  constructor(reason, detail = "") {
    super(detail);
    this.reason = reason;
    this.detail = detail;
  }
}
