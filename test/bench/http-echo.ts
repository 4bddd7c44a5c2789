/** What any Express service costs that reads a JSON body and answers one: the yardstick of `npm run bench:http`. */
import express from "express";

const app = express();
app.use(express.json());
app.post("/echo", (request, response) => void response.json(request.body));
const server = app.listen(0, "127.0.0.1", () => {
  const address = server.address();
  console.log(JSON.stringify({ port: typeof address === "object" && address !== null ? address.port : 0 }));
});
