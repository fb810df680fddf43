#!/usr/bin/env node
'use strict';
/**
 * Draws a widget.
 * @param {string} name
 */
export default function draw(name) {
  const local = 1;
  function inner() {}
  const nested = () => inner();
}

export const LIMIT = 10, other = 2;
let counter = 0;
var old = require('old');
const twice = (x) => x * 2;
export const later = async function () { return 1; };

// A class.
export class Widget extends Base {
  #secret = 1;
  static make() { return new Widget(); }
  constructor(name) { super(name); }
  get size() { return 1; }
  *items() {}
}

Widget.prototype.paint = function (color) {};
exports.helper = () => 1;
module.exports = function start() {};
const api = {
  list() {},
  find: function (id) {},
  'by-name': (n) => n,
};
function* generate() {}
const Anonymous = class { run() {} };
