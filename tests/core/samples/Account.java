package com.example.bank;

import java.util.List;

/**
 * A bank account.
 */
@Entity
@Table(name = "accounts")
public class Account<T extends Number> extends Base implements Owned {
    private static final int MAX = 10;
    private String owner, other;

    public Account(String owner) { this.owner = owner; }

    // Pays in.
    @Override
    public void deposit(int amount) throws TooMuch {
        int local = 1;
        Runnable r = new Runnable() { public void run() {} };
    }

    interface Visitor { void visit(Account a); }
    enum Kind { OPEN, CLOSED; boolean active() { return true; } }
    record Entry(int amount) { Entry { } }
    @interface Audited { String by() default ""; }
}
