// The last two minutes of a rate, as a line. They are kept in the page: a browser that comes has none yet.

const samples = 60;

export class Series {
  constructor() {
    this.values = [];
  }

  add(value) {
    this.values.push(value);
    if (this.values.length > samples) this.values.shift();
  }

  get most() {
    return Math.max(...this.values, 0);
  }

  // path returns the line in a box of 59 by 20, the latest value at its right end.
  path() {
    const most = Math.max(this.most, 1);
    const first = samples - this.values.length;
    let d = "";
    for (let i = 0; i < this.values.length; i++) {
      d += (i ? "L" : "M") + (first + i) + " " + (19 - (18 * this.values[i]) / most).toFixed(1);
    }
    return d;
  }
}
