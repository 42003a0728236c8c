namespace Akvam.Debugger.Lockstep;

/// <summary>The part a machine plays.</summary>
public enum CheckedEngine
{
    /// <summary>The interpreter, whose results count.</summary>
    Reference,

    /// <summary>The translator.</summary>
    Subject,
}
