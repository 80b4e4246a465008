// What charts need of colours and sizes.
const colour = name => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
const em = () => parseFloat(getComputedStyle(root).fontSize);
function rgb(text) { const v = parseInt(text.slice(1), 16); return [v >> 16, v >> 8 & 255, v & 255]; }
