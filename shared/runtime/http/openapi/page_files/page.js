// Shows the OpenAPI document of this service. Every request of the page goes to the service itself.
"use strict";

// "Try it out" fills in examples. Of an optional parameter, the description shows them instead: sent without thought, an
// If-None-Match or X-Min-Revision changes the answer.
function describeOptionalExamples(openapi) {
  for (const operations of Object.values(openapi.paths)) {
    for (const { parameters = [] } of Object.values(operations)) {
      for (const each of parameters.filter(({ required }) => !required)) {
        const named = Object.values(each.examples ?? {}).map(({ value }) => value);
        const examples = "example" in each ? [each.example] : named;
        if (examples.length > 0) {
          each.description += ` (for example \`${examples.join("` or `")}\`)`;
        }
        delete each.example;
        delete each.examples;
      }
    }
  }
}

async function show(element) {
  const location = new URL(element.dataset.document, window.location);
  const answer = await fetch(location);
  if (!answer.ok) {
    element.textContent = `The service answered ${answer.status} instead of its OpenAPI document. Load the page again.`;
    return;
  }
  const openapi = await answer.json();
  describeOptionalExamples(openapi);
  // Behind a proxy that adds a prefix to paths, "Try it out" must send the prefix, too.
  openapi.servers = [{ url: new URL("..", location).href.replace(/\/$/, "") }];
  SwaggerUIBundle({
    domNode: element,
    spec: openapi,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    deepLinking: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    filter: true,
    // Credentials stay in the memory of the page, and no document is sent to a validator.
    persistAuthorization: false,
    validatorUrl: null,
  });
}

show(document.getElementById("api"));
