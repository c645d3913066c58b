// Which changes of a source file a test must notice: every guard taken away, every comparison moved by one, every limit raised.
// It must never know how tests are run, or what the file is about.

import ts from 'typescript';

/** One change of one file. */
export interface Mutant {
  readonly file: string;
  readonly line: number;
  /** The whole line where it begins. */
  readonly context: string;
  readonly from: number;
  readonly to: number;
  readonly before: string;
  readonly after: string;
}

const NEIGHBOURS = new Map<ts.SyntaxKind, string>([
  [ts.SyntaxKind.LessThanToken, '<='],
  [ts.SyntaxKind.LessThanEqualsToken, '<'],
  [ts.SyntaxKind.GreaterThanToken, '>='],
  [ts.SyntaxKind.GreaterThanEqualsToken, '>'],
]);

/** Calls that do nothing but throw where something is wrong, or wipe a memory that others can read. */
const GUARDS = new Set(['expect', 'end', 'demand', 'limit', 'refuseKnown', 'checkChain']);

/** Constants that bound something: a count is raised by one, a time is doubled. */
const COUNT = /MAX|MIN|KEPT|ATTEMPTS/;
const TIME = /_(MS|SECONDS)$/;

/** Every mutant of a source text, in the order of the text. */
export function mutantsOf(file: string, text: string): Mutant[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true);
  const lines = text.split('\n');
  const mutants: Mutant[] = [];

  function replace(node: ts.Node, after: string): void {
    const [from, to] = [node.getStart(source), node.getEnd()];
    const { line } = source.getLineAndCharacterOfPosition(from);
    mutants.push({ file, line: line + 1, context: lines[line]!, from, to, before: text.slice(from, to), after });
  }

  function visit(node: ts.Node): void {
    if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node)) return;
    if (ts.isIfStatement(node)) replace(node.expression, 'false');
    if (ts.isConditionalExpression(node)) for (const value of ['true', 'false']) replace(node.condition, value);
    if (ts.isBinaryExpression(node)) visitBinary(node);
    if (ts.isCallExpression(node)) visitCall(node);
    if (ts.isVariableDeclaration(node)) visitConstant(node);
    ts.forEachChild(node, visit);
  }

  function visitBinary({ left, right, operatorToken }: ts.BinaryExpression): void {
    const { kind } = operatorToken;
    const neighbour = NEIGHBOURS.get(kind);
    if (neighbour !== undefined) replace(operatorToken, neighbour);
    if (kind === ts.SyntaxKind.AmpersandAmpersandToken || kind === ts.SyntaxKind.BarBarToken) {
      const neutral = kind === ts.SyntaxKind.AmpersandAmpersandToken ? 'true' : 'false';
      for (const operand of [left, right]) if (!isSameKind(operand, kind)) replace(operand, neutral);
    }
    if (kind === ts.SyntaxKind.QuestionQuestionToken && ts.isCallExpression(right) && nameOf(right) === 'refuse') replace(right, 'new Uint8Array(32)');
  }

  function visitCall(node: ts.CallExpression): void {
    const name = nameOf(node);
    if (ts.isExpressionStatement(node.parent) && GUARDS.has(name)) replace(node, 'undefined');
    const [first, second, ...more] = node.arguments;
    if ((name === 'min' || name === 'max') && first && second && more.length === 0) {
      for (const operand of [first, second]) if (!ts.isSpreadElement(operand)) replace(node, operand.getText(source));
    }
  }

  function visitConstant({ name, initializer, parent }: ts.VariableDeclaration): void {
    const isOfFile = ts.isSourceFile(parent.parent.parent) && ts.isIdentifier(name) && /^[A-Z][A-Z0-9_]+$/.test(name.text);
    if (!isOfFile || initializer === undefined || !isNumeric(initializer)) return;
    const written = initializer.getText(source);
    if (TIME.test(name.text)) replace(initializer, `2 * (${written})`);
    else if (COUNT.test(name.text)) for (const change of ['+', '-']) replace(initializer, `${written} ${change} 1`);
  }

  visit(source);
  return mutants;
}

/** A chain of the same operator is visited where it is longest, operand by operand. */
function isSameKind(node: ts.Expression, kind: ts.SyntaxKind): boolean {
  return ts.isBinaryExpression(node) && node.operatorToken.kind === kind;
}

function nameOf({ expression }: ts.CallExpression): string {
  if (ts.isIdentifier(expression)) return expression.text;
  return ts.isPropertyAccessExpression(expression) ? expression.name.text : '';
}

function isNumeric(node: ts.Expression): boolean {
  if (ts.isNumericLiteral(node)) return true;
  if (ts.isParenthesizedExpression(node)) return isNumeric(node.expression);
  if (ts.isIdentifier(node)) return /^[A-Z]/.test(node.text);
  return ts.isBinaryExpression(node) && isNumeric(node.left) && isNumeric(node.right);
}
