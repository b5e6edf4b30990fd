/** The page's own elements, which `index.html` has. Texts are set as text, never as HTML. */

/** @param id without `#` */
export function byId<E extends Element = HTMLElement>(id: string): E {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`no element #${id}`);
  return element as Element as E;
}

/** A part of an element. */
export function part<E extends Element = HTMLElement>(of: ParentNode, selector: string): E {
  const element = of.querySelector<E>(selector);
  if (element === null) throw new Error(`no element ${selector}`);
  return element;
}

/** Writes only what is new, so that a screen reader and the browser have nothing to do for the rest. */
export function write(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
