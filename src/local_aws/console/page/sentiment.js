// The sentiment feed's part of the page, whose controls stand in index.html.

export const sentimentFeed = {
  event: "sentiment",
  itemId: "item_id",
  time: "published_at",
  nothingChosen: "No sentiment is chosen: there is nothing to stream.",
  whyClosed: "no sentiment is chosen",

  // The stream's query; null where no sentiment is chosen, since none given means all to the route.
  queryOf(form) {
    const given = new FormData(form);
    const sentiments = given.getAll("sentiment");
    if (sentiments.length === 0) return null;
    const query = new URLSearchParams();
    if (sentiments.length < 3) query.set("sentiment", sentiments.join(","));
    const tickers = given.get("ticker").split(/[\s,]+/).filter(Boolean).join(",");
    if (tickers) query.set("ticker", tickers);
    return query;
  },

  // An item as the list shows it.
  shown(item) {
    const meta = [item.ticker ?? "no ticker", item.sentiment_type];
    if (item.score !== undefined) meta.push(`score ${item.score}`);
    if (item.source !== undefined) meta.push(item.source);
    return { headline: item.headline ?? item.item_id, meta, sentiment: item.sentiment_type };
  },
};
