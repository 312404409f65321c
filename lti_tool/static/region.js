// How the reader writes dates and times: as the LMS says, else as the browser does in the language of the page.

const { lang, dataset } = document.documentElement;

export const region = dataset.region || navigator.languages.find((tag) => tag.split("-")[0] === lang) || lang || undefined;
