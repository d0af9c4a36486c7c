// What is seen of an enlarged face, in the photo's own pixels.
import { Failure } from "../../shared/failure.js";
import { report } from "./notices.js";

/** @import { View } from "../portrait.js" */
/** @import { Session } from "../session.js" */
/** @import { CompareView } from "./compare-view.js" */

/**
 * Whether a view shows the photo's own pixels where edits go onto them.
 * @param {View} view
 * @returns {view is "original" | "edited"}
 */
export const isPhoto = (view) => view === "original" || view === "edited";
/** @param {unknown} thrown */
const isPast = (thrown) => {
  const { ended, stale } = Failure.from(thrown);
  return ended || stale;
};

/**
 * Has `compare` show, whenever it comes to rest, what is seen there of a face in the photo's own pixels, where its
 * pictures have fewer.
 * @param {Session} session
 * @param {CompareView} compare
 * @param {() => View[] | undefined} shown the views on its two sides, or nothing where it shows no face
 */
export function startCloseLook(session, compare, shown) {
  /** Ends the making of a close look that is no longer wanted. */
  let closing = new AbortController();

  async function look() {
    closing.abort();
    closing = new AbortController();
    const { signal } = closing;
    const part = compare.seen;
    const views = shown();
    if (!part || !views) return;
    const pictures = () => shown()?.map((view) => session.pictures[view]);
    const asked = pictures();
    const made = await Promise.allSettled(
      views.map(async (view) => {
        const width = session.pictures[view]?.width ?? Number.POSITIVE_INFINITY;
        const more = width < (session.finestSide ?? 0) && width * part.share < part.width;
        return more && isPhoto(view) ? session.closeUp(view, part, signal) : undefined;
      }),
    );
    const [before, after] = made.map((each) => (each.status === "fulfilled" ? each.value : undefined));
    // Where another picture is shown by now, there will be a close look at that one.
    const current = !signal.aborted && pictures()?.every((picture, i) => picture === asked?.[i]);
    if (current) compare.closeUp = { part, before, after };
    for (const bitmap of [before, after]) bitmap?.close();
    for (const each of made) if (each.status === "rejected" && !isPast(each.reason)) report(each.reason);
  }
  compare.addEventListener("rest", () => void look());
}
