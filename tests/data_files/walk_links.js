// Follows every link of the page that leads to items, and writes down what it says and how many items it shows.
(async () => {
  const pause = () => new Promise((done) => setTimeout(done, 5));
  while (document.documentElement.dataset.ready !== "items") await pause();
  const found = [];
  for (const link of document.querySelectorAll("a[href*='?']")) {
    location.hash = link.getAttribute("href");
    await pause();
    const section = document.getElementById(location.hash.slice(1).split("?")[0]);
    found.push([link.getAttribute("href"), link.textContent, section.querySelector("output").textContent]);
  }
  const walked = document.createElement("pre");
  walked.id = "walked";
  walked.textContent = JSON.stringify(found);
  document.body.append(walked);
})();
