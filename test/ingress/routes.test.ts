import express, { Router } from "express";
import { describe, expect, it } from "vitest";
import { routesOf } from "./routes.ts";

describe("routesOf", () => {
  it("finds every route, of routers below a path as well", () => {
    const nested = Router();
    nested.post("/deep/:id", (_request, response) => void response.end());
    const app = express();
    app.get("/top", (_request, response) => void response.end());
    app.use(express.json()).use(nested).use("/v1", nested);
    expect([...routesOf(app)].sort()).toEqual(["GET /top", "POST /deep/{id}", "POST /v1/deep/{id}"]);
  });

  it("fails for a router that is mounted where it doesn't look", () => {
    expect(() => routesOf(express().use("/v2", Router()))).toThrow("mounted where");
  });
});
