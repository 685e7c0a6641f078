// What answers and arguments have to fit, in the forms that clients want it in.
import assert from 'node:assert/strict';
import { z } from 'zod';

export const person = z.object({
  name: z.string().max(30), age: z.int().min(0).max(150), skills: z.array(z.enum(['sailing', 'forging', 'riddles'])).max(3),
});

export const personSchema = {
  type: 'object',
  properties: {
    name: { type: 'string', maxLength: 30 },
    age: { type: 'integer', minimum: 0, maximum: 150 },
    skills: { type: 'array', items: { enum: ['sailing', 'forging', 'riddles'] }, maxItems: 3 },
  },
  required: ['name', 'age', 'skills'],
  additionalProperties: false,
};

/** Nothing in it is of any length. */
export const mood = z.object({ skill: z.enum(['sailing', 'forging']), brave: z.boolean() });

export const weather = z.object({ city: z.string().max(20), unit: z.enum(['c', 'f']) });

export const weatherSchema = {
  type: 'object',
  properties: { city: { type: 'string', maxLength: 20 }, unit: { enum: ['c', 'f'] } },
  required: ['city', 'unit'],
  additionalProperties: false,
};

/** The text is JSON and fits. */
export function fits(schema, text) {
  const { success, error } = schema.safeParse(typeof text === 'string' ? JSON.parse(text) : text);
  assert.ok(success, `${text}: ${error}`);
}
