/** Small dense linear algebra in double precision. Matrices are Float64Arrays, row by row. */

/**
 * Factorizes a symmetric, positive definite matrix in place: its lower triangle becomes L with L Lᵀ = A.
 *
 * @param {Float64Array} matrix `(n, n)`
 * @param {number} n
 * @returns {Float64Array} the same array
 * @throws {Error} the matrix is not positive definite
 */
export function cholesky(matrix, n) {
  for (let row = 0; row < n; row += 1) {
    const start = row * n;
    for (let column = 0; column <= row; column += 1) {
      const other = column * n;
      let sum = matrix[start + column];
      for (let at = 0; at < column; at += 1) sum -= matrix[start + at] * matrix[other + at];
      if (column < row) matrix[start + column] = sum / matrix[other + column];
      else if (sum > 0) matrix[start + row] = Math.sqrt(sum);
      else throw new Error("The kernel of the model is damaged: its covariance is no covariance.");
    }
  }
  return matrix;
}

/**
 * Solves L x = b.
 *
 * @param {Float64Array} factor from `cholesky`
 * @param {number} n
 * @param {Float64Array} right b, which x replaces
 * @returns {Float64Array} the same array
 */
export function solveLower(factor, n, right) {
  for (let row = 0; row < n; row += 1) {
    let sum = right[row];
    for (let at = 0; at < row; at += 1) sum -= factor[row * n + at] * right[at];
    right[row] = sum / factor[row * n + row];
  }
  return right;
}

/** Solves L Lᵀ x = b; see `solveLower`. */
export function solve(factor, n, right) {
  solveLower(factor, n, right);
  for (let row = n - 1; row >= 0; row -= 1) {
    right[row] /= factor[row * n + row];
    for (let at = 0; at < row; at += 1) right[at] -= factor[row * n + at] * right[row];
  }
  return right;
}

/** The inverse of `[a, b, c, d]`, a matrix of two rows. */
export function inverse2([a, b, c, d]) {
  const determinant = a * d - b * c;
  return [d / determinant, -b / determinant, -c / determinant, a / determinant];
}

/** The product of two matrices of two rows. */
export function times2([a, b, c, d], [e, f, g, h]) {
  return [a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h];
}
